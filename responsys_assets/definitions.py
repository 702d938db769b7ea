"""The Dagster code location: `responsys.yaml` (or `$RESPONSYS_CONFIG`) as assets.

In the processes that load it, what is written is for the user alone, and texts of unexpected
errors stay out of Dagster's databases.
"""

from __future__ import annotations

import os

from responsys_assets.orchestration.build import load_definitions

os.umask(0o077)
os.environ.setdefault("DAGSTER_REDACT_USER_CODE_ERRORS", "1")

defs = load_definitions()
