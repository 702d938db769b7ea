"""Reading ahead and writing behind on threads of their own, with errors where they belong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from queue import Queue
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


def ahead(items: Generator[T], depth: int) -> Generator[T]:
    """The same items, made up to `depth` ahead on another thread.

    What the maker raises is raised here, after the items before it. Closing this generator ends
    the thread, after the item that it is making.
    """
    queue: Queue[T | None] = Queue(depth)
    failed: list[BaseException] = []
    stop = threading.Event()

    def make() -> None:
        try:
            with closing(items):
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
    """Hands items to `work` on another thread, one at a time, while the giver makes the next.

    Errors are raised by the next `put`, or at the end.
    """

    def __init__(self, work: Callable[[T], None]) -> None:
        self._work = work
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writing behind")
        self._last: Future[None] | None = None

    def put(self, item: T) -> None:
        """Hand over an item; waits until the one before it is done."""
        self._finish()
        self._last = self._thread.submit(self._work, item)

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
            self._thread.shutdown()

    def close(self) -> None:
        """Wait until all is done, and end the thread."""
        self._thread.shutdown()
        self._finish()

    def _finish(self) -> None:
        if self._last is not None:
            self._last.result()
