"""Prefetching: a background thread makes the next items while this one is in use."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from types import TracebackType
from typing import Generic, Self, TypeVar

from mpmm_kernels.runtime import give_way

from mpmm.errors import PatchError

T = TypeVar("T")


class _End:
    """Follows the last item, with the error that ended the source, if one did."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class _Belt(Generic[T]):
    """What producer and consumer share: finished items one way, leave to make another the other way.

    Simple queues, because their `put` may interrupt itself: a lost prefetcher is stopped by the garbage
    collector, at any point of any thread.
    """

    def __init__(self, depth: int) -> None:
        self.items: SimpleQueue[T | _End] = SimpleQueue()
        self.leave: SimpleQueue[None] = SimpleQueue()
        self.stopped = False
        for _ in range(depth):
            self.leave.put(None)

    def may_make_another(self) -> bool:
        """Wait for leave; False means stop."""
        self.leave.get()
        return not self.stopped

    def stop(self, thread: threading.Thread) -> None:
        """Stop the producer and wait for it."""
        self.stopped = True
        self.leave.put(None)
        if thread is not threading.current_thread():
            thread.join()


class Prefetcher(Generic[T]):
    """Iterates over a source that a background thread runs ahead on, by at most `depth` items.

    An exception of the source is raised where the item would have come, and ends the iteration. Leaving the
    `with` block, or losing the last reference, stops the thread after the item that it is making.

    Parameters
    ----------
    source
        Iterated in the background thread only, and closed there if it is a generator.
    depth
        Items finished or in the making.
    """

    def __init__(self, source: Iterable[T], depth: int = 2) -> None:
        if depth < 1:
            raise PatchError(f"a prefetching depth of {depth}", "prefetch at least 1 batch")
        # the thread holds the belt and not this object, or it would never be lost
        self._belt: _Belt[T] = _Belt(depth)
        self._ended = False
        thread = threading.Thread(
            target=_produce, args=(source, self._belt), name="mpmm-prefetch", daemon=True
        )
        thread.start()
        self._stop = weakref.finalize(self, self._belt.stop, thread)

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._ended:
            raise StopIteration
        item = self._belt.items.get()
        if not isinstance(item, _End):
            self._belt.leave.put(None)
            return item
        self.close()
        raise StopIteration if item.error is None else item.error

    def close(self) -> None:
        """Stop the thread and wait for it; items that were not taken are dropped."""
        self._ended = True
        self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def prefetch(source: Iterable[T], depth: int = 2) -> Prefetcher[T]:
    """Run ahead on a source by up to `depth` items; see :class:`Prefetcher`."""
    return Prefetcher(source, depth)


def _produce(source: Iterable[T], belt: _Belt[T]) -> None:
    # where all cores compute, reading stops a thread that all others then wait for at the end of a kernel
    give_way(threading.get_native_id())
    try:
        _run(iter(source), belt)
    except BaseException as error:  # whatever it is, it belongs to the consumer
        belt.items.put(_End(error))
    else:
        belt.items.put(_End())


def _run(iterator: Iterator[T], belt: _Belt[T]) -> None:
    try:
        while belt.may_make_another():
            try:
                item = next(iterator)
            except StopIteration:
                return
            belt.items.put(item)
    finally:
        if (close := getattr(iterator, "close", None)) is not None:
            close()
