"""Batches: many generations asked for in one call, checked as a whole."""
