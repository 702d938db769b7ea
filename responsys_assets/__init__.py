"""Keeps a company's Responsys profile data in step with everything else it runs."""

import os

__version__ = "0.1.0"

# Polars gives memory back to the system after half a second, and getting it again is then a tenth
# of a merge; ten seconds are its allocator's default, which reads this when Polars is loaded.
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:10000")
