"""The tenant's bucket, always under that tenant's own session."""
