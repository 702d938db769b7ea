"""Reading ahead and writing behind on threads of their own, with errors where they belong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from queue import Queue
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


def ahead(items: Iterator[T], depth: int) -> Generator[T, None, None]:
    """The same items, made up to `depth` ahead on another thread.

    What the maker raises is raised here, after the items before it. Closing this generator ends
    the thread.
    """
    queue: Queue[T | None] = Queue(depth)
    failed: list[BaseException] = []
    stop = threading.Event()

    def make() -> None:
        try:
            for item in items:
                if stop.is_set():
                    break
                queue.put(item)
        except BaseException as error:  # noqa: BLE001 - raised again by the reader
            failed.append(error)
        finally:
            queue.put(None)

    thread = threading.Thread(target=make, name="reading ahead", daemon=True)
    thread.start()
    ended = False
    try:
        while (item := queue.get()) is not None:
            yield item
        ended = True
        if failed:
            raise failed[0]
    finally:
        stop.set()
        while not ended and queue.get() is not None:
            pass
        thread.join()


class Behind(Generic[T]):
    """Hands items to a function on another thread; its errors are raised by `put` and `close`."""

    def __init__(self, work: Callable[[T], None], depth: int) -> None:
        self._work = work
        self._queue: Queue[T | None] = Queue(depth)
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="writing behind", daemon=True)
        self._thread.start()

    def put(self, item: T) -> None:
        """Hand over an item; waits while too many are under way."""
        self._queue.put(item)
        if self._failed is not None:
            raise self._failed

    def close(self) -> None:
        """Wait until everything is done."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        if self._failed is not None:
            raise self._failed

    def __enter__(self) -> Behind[T]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self._failed = self._failed or error  # what is still queued is dropped
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            if self._failed is None:
                try:
                    self._work(item)
                except BaseException as error:  # noqa: BLE001 - raised again by the giver
                    self._failed = error
