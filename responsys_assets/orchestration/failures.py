"""Errors as Dagster shows and stores them: our sentence, never the text of an engine.

Dagster keeps the text of an exception in its databases and in the compute logs. Texts of
engines quote the rows they fail on, so only the sentences of `errors.py` pass.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

import responsys_assets
from responsys_assets.errors import ResponsysError

_PACKAGE = Path(responsys_assets.__file__).parent


class TickFailure(dg.DagsterError):
    """A sensor or a schedule cannot do its work; the text is shown even when Dagster redacts."""


@contextmanager
def plain_failures() -> Iterator[None]:
    """Turn every error of a step into a `Failure` with a sentence that is safe to store."""
    try:
        yield
    except ResponsysError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    except (dg.DagsterError, dg.Failure, dg.RetryRequested):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, its text must not be stored
        raise dg.Failure(_anonymous(error), allow_retries=False) from None


@contextmanager
def plain_tick_failures() -> Iterator[None]:
    """The same for sensors and schedules."""
    try:
        yield
    except ResponsysError as error:
        raise TickFailure(str(error)) from None
    except dg.DagsterError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, its text must not be stored
        raise TickFailure(_anonymous(error)) from None


def _anonymous(error: Exception) -> str:
    """Kind and place of an unexpected error, without its text."""
    ours = [
        f"{Path(frame.filename).relative_to(_PACKAGE.parent)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if _PACKAGE in Path(frame.filename).parents
    ]
    return (
        f"unexpected {type(error).__name__} at {' < '.join(reversed(ours))}; its text is withheld "
        "because it may quote records: report this place, or run `responsys sync` by hand"
    )
