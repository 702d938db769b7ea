"""Work on other threads ends with its maker and raises where it is waited for."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator

import pytest

from responsys_assets.threads import Behind, ahead


def test_items_come_in_order_and_the_error_after_them() -> None:
    def items() -> Generator[int]:
        yield from range(5)
        raise ValueError("the end")

    seen: list[int] = []
    with pytest.raises(ValueError, match="the end"):
        seen.extend(ahead(items(), 2))
    assert seen == [*range(5)]


def test_leaving_early_ends_the_reader() -> None:
    before = threading.active_count()
    closed: list[str] = []

    def items() -> Generator[int]:
        try:
            yield from range(1000)
        finally:
            closed.append(threading.current_thread().name)

    with contextlib.closing(ahead(items(), 2)) as made:
        assert next(made) == 0
    assert threading.active_count() == before
    assert closed == ["reading ahead"]


def test_everything_is_written_before_it_is_left() -> None:
    written: list[int] = []
    with Behind(written.append) as behind:
        for number in range(50):
            behind.put(number)
    assert written == [*range(50)]


def test_an_error_of_the_writer_reaches_the_giver() -> None:
    def work(number: int) -> None:
        raise OSError(number)

    def give() -> None:
        with Behind(work) as behind:
            for number in range(50):
                behind.put(number)

    with pytest.raises(OSError, match="0"):
        give()


def test_an_error_of_the_giver_ends_the_writer() -> None:
    before = threading.active_count()
    written: list[int] = []

    def give() -> None:
        with Behind(written.append) as behind:
            behind.put(1)
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        give()
    assert threading.active_count() == before
