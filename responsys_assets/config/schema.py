"""The JSON Schema of `responsys.yaml`, for editors."""

from __future__ import annotations

from typing import Any

from responsys_assets.config.models import Config


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) generated from the models."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Config.model_json_schema(),
        "title": "responsys.yaml",
    }
