"""Tags of runs: what a run is for, so that sensors can ask what became of it."""

from __future__ import annotations

DEADLINE = "responsys/deadline"  # the moment that a deadline struck
EXPORTS = "responsys/exports"  # the list and day a run ingests
WANT = "responsys/want"  # digest of what a sensor asked a run to take
ON_MISSING = "responsys/on_missing"  # fail or proceed, for required lists
PRUNE = "responsys/prune"  # the run applies retention
YES = "yes"
