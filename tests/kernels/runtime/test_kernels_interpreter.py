"""What the interpreter is spared: memory for frames, and modules that nobody asks for."""

import importlib.util
import resource
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from mpmm_kernels.runtime import as_if_not_installed, with_room_for_frames

CALLS = 500
DEPTHS = 300


def nothing():
    """Do nothing, in a frame of 1.6 KB: some depth has less left of a chunk."""


nothing.__code__ = nothing.__code__.replace(co_stacksize=200)


def faults_at(depth):
    """Pages that so many calls touched for the first time, that far down."""
    if depth:
        return faults_at(depth - 1)
    before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
    for _ in range(CALLS):
        nothing()
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before


def most_faults():
    """The most of any depth; what the first way down touches is not counted."""
    faults_at(DEPTHS)
    return max(faults_at(depth) for depth in range(DEPTHS))


def test_a_call_at_any_depth_takes_no_memory_from_the_system():
    # of a thread of its own, for the suite's has room
    with ThreadPoolExecutor(1) as other_thread:
        if other_thread.submit(most_faults).result() < CALLS:
            pytest.skip("this Python keeps the memory of frames that were left")
        # where each call over a border touches a page of new memory
        assert other_thread.submit(with_room_for_frames(most_faults)).result() < CALLS / 10


def test_results_arguments_and_errors_pass():
    @with_room_for_frames
    def ratio(above, *, below):
        """Divide."""
        return above / below

    assert ratio(6, below=3) == 2
    assert (ratio.__name__, ratio.__doc__) == ("ratio", "Divide.")
    with pytest.raises(ZeroDivisionError):
        ratio(1, below=0)


def test_what_is_as_if_not_installed_can_be_imported_afterwards(monkeypatch):
    monkeypatch.delitem(sys.modules, "this", raising=False)
    loaded = sys.modules["resource"]
    with as_if_not_installed("this", "resource"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module("this")
        assert importlib.import_module("resource") is loaded, "it was there already"
    assert "this" not in sys.modules
    with pytest.raises(ZeroDivisionError), as_if_not_installed("this"):
        raise ZeroDivisionError
    assert importlib.util.find_spec("this") is not None
