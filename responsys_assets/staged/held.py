"""Why an export is held."""

from __future__ import annotations

from responsys_assets.errors import ExportError


class HeldError(ExportError):
    """What keeps a file from being taken until a person or a new file settles it."""
