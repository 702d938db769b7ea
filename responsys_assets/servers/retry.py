"""Another attempt for faults that may pass."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from responsys_assets.errors import TransientServerError

T = TypeVar("T")

ATTEMPTS = 3
DELAY_SECONDS = 1.0


def retrying(action: Callable[[], T], codes: frozenset[str] | None = None) -> T:
    """The result of `action`, tried up to three times while its fault is transient.

    Waits about 1 s, then 2 s, with jitter so that many clients do not come back at once.
    `codes`: only these faults are tried again.

    Raises:
        TransientServerError: the last one.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return action()
        except TransientServerError as error:
            if attempt == ATTEMPTS or (codes is not None and error.code not in codes):
                raise
        # jitter needs no secrecy
        time.sleep(DELAY_SECONDS * attempt * random.uniform(0.5, 1.5))  # noqa: S311
    raise AssertionError("unreachable")
