"""Pieces of work that workers take while it is done."""

import numpy as np
import pytest
from mpmm_kernels.runtime import compiled, next_piece, nth_longest, parts, shared_better_by_halves, tickets
from numba import prange
from numpy.typing import NDArray

WORKERS = 4


@compiled(parallel=True)
def count_pieces(times: NDArray[np.int64], workers: int) -> None:
    taken = tickets()
    for _worker in prange(workers):
        piece = next_piece(taken)
        while piece < times.size:
            times[piece] += 1
            piece = next_piece(taken)


def test_every_piece_is_taken_once() -> None:
    """Many short pieces, so that workers take them at the same time."""
    times = np.zeros(100_000, np.int64)
    for _ in range(3):
        count_pieces(times, WORKERS)
    assert np.array_equal(times, np.full(100_000, 3))


def test_few_items_are_cut_into_one_part_a_worker() -> None:
    assert parts(7, 2) == 2
    assert parts(8, 2) == 8
    assert parts(1, 4) == 4


@pytest.mark.parametrize(
    ("pieces", "workers", "better"),
    [(16, 2, False), (3, 2, True), (1, 2, True), (2, 2, False), (5, 1, False), (16, 3, True), (4, 16, True)],
)
def test_pieces_are_halved_where_that_leaves_fewer_workers_waiting(pieces, workers, better):
    assert shared_better_by_halves(pieces, workers) == better


@pytest.mark.parametrize(
    ("bounds", "order"),
    [
        ([0, 2, 5, 7, 10], [1, 3, 0, 2]),
        ([0, 1, 2, 3], [0, 1, 2]),
        ([3, 3, 9, 10], [1, 2, 0]),
        ([4, 7], [0]),
    ],
)
def test_longer_runs_are_taken_first_each_once(bounds, order):
    taken = [nth_longest(np.array(bounds), n) for n in range(len(order))]
    assert taken == order
