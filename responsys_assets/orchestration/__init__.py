"""The Dagster skin: assets, checks, sensors and schedules; what they do is in `sync`."""
