"""Profiles: one row a person, merged from the live rows of every profile list."""
