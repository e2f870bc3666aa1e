"""Prefetching: order, bound, errors, and a thread that always ends."""

import gc
import os
import sys
import threading

import pytest

from mpmm.errors import PatchError
from mpmm.patches import prefetch


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "mpmm-prefetch"]


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    gc.collect()
    assert threads() == []


def test_items_come_in_order():
    assert list(prefetch(range(100), 3)) == list(range(100))


def test_made_in_another_thread():
    assert {*prefetch(threading.current_thread().name for _ in range(3))} == {"mpmm-prefetch"}


@pytest.mark.skipif(sys.platform != "linux", reason="a thread has a priority of its own under Linux only")
def test_that_thread_lets_those_that_compute_go_first():
    def own():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = own()
    assert {*prefetch(own() for _ in range(3))} == {max(10, before)}
    assert own() == before


def test_never_more_than_depth_ahead():
    made = threading.Semaphore(0)
    count = []

    def source():
        for item in range(10):
            count.append(item)
            made.release()
            yield item

    with prefetch(source(), 3) as items:
        for taken in range(10):
            # items finished or in the making, besides those taken
            assert len(count) - taken <= 3
            while len(count) < min(10, taken + 3):
                assert made.acquire(timeout=10)
            assert next(items) == taken


def test_an_error_comes_in_its_place_and_ends_the_items():
    def source():
        yield 1
        raise ValueError("band 3 is gone")

    items = prefetch(source())
    assert next(items) == 1
    with pytest.raises(ValueError, match="band 3 is gone"):
        next(items)
    assert list(items) == []


def test_a_source_that_cannot_be_iterated():
    items = prefetch(None)
    with pytest.raises(TypeError):
        next(items)


def test_closing_midway_closes_the_source():
    closed = threading.Event()

    def source():
        try:
            yield from range(1000)
        finally:
            closed.set()

    with prefetch(source(), 2) as items:
        assert next(items) == 0
    assert closed.is_set()
    assert list(items) == []


def test_closing_before_the_first_item_and_twice():
    items = prefetch(iter(int, 1), 1)
    items.close()
    items.close()


def test_an_error_in_the_consumer_stops_the_thread():
    def use():
        with prefetch(iter(int, 1)) as items:
            next(items)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        use()


def test_a_lost_prefetcher_stops_its_thread():
    items = prefetch(iter(int, 1))
    next(items)
    del items


def test_no_depth_is_refused():
    with pytest.raises(PatchError, match="depth of 0"):
        prefetch([1], 0)
