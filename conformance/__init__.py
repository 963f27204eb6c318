"""Does the offline server answer as AWS does? The same calls to both, side by side. Run by somebody with an account."""
