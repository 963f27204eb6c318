"""Decoding, compositing and drawing pictures; implements `PictureDesk`."""
