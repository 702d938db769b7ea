"""Segments: the profiles that a `where` selects and consent allows."""
