"""The Dagster code location: `responsys.yaml` (or `$RESPONSYS_CONFIG`) as assets."""

from __future__ import annotations

from responsys_assets.orchestration.build import load_definitions

defs = load_definitions()
