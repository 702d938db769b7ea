"""Limits that hold a plan until a person sends it."""

from __future__ import annotations

from typing import Literal

from responsys_assets.config.models import Guard


def tripped(
    guard: Guard | Literal["none"], *, rows: int, added: int, removed: int, delivered: int | None
) -> list[str]:
    """What the guard minds, in words; empty if it lets the plan pass.

    `delivered` are the rows last delivered, None for the first delivery, which has nothing that
    a percentage could be taken of.
    """
    if guard == "none":
        return []
    minded = []
    for limit, count, rule, verb in (
        (guard.max_added, added, "max_added", "added"),
        (guard.max_removed, removed, "max_removed", "removed"),
    ):
        if delivered is None and limit.percent is not None:
            continue
        if limit.exceeded_by(count, delivered or 0):
            compared = "" if delivered is None else f" ({delivered} were delivered last)"
            minded.append(f"{count} rows would be {verb}{compared}, {rule} is {limit}")
    if rows < guard.min_rows:
        minded.append(f"there are {rows} rows, min_rows is {guard.min_rows}")
    return minded
