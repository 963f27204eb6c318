"""Wire types: what comes in and goes out over HTTP."""
