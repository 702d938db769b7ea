"""Ours, the floors and what one would otherwise write, side by side; see `make bench`."""
