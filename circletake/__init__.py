"""Circletake: the product. One import package; it starts no process."""

__version__ = "0.1.0"
