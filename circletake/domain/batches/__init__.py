"""Batches: many generations asked for in one call."""
