"""Staging: an export becomes checked Parquet, or is held with a reason."""
