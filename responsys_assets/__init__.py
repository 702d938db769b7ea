"""Keeps a company's Responsys profile data in step with everything else it runs."""

__version__ = "0.1.0"
