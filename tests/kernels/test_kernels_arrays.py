"""Memory on cache lines, scratch of workers, and rows of groups added up as their tree says."""

from typing import NamedTuple

import numpy as np
import pytest
from mpmm_kernels.arrays import (
    WorkerScratch,
    add_columns,
    flat,
    held_bytes,
    scratch,
    sum_groups,
    workers,
    zeros_aligned,
)
from mpmm_kernels.groups import GROUPS, group_tree
from mpmm_kernels.runtime import available_threads, set_threads
from naive.groups import tree_sum


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "int32"])
@pytest.mark.parametrize("shape", [(1,), (3, 5), (2, 1, 4)])
def test_zeros_begin_on_a_cache_line(shape, dtype):
    array = zeros_aligned(shape, dtype)
    assert (array.shape, array.dtype) == (shape, np.dtype(dtype))
    assert array.ctypes.data % 64 == 0
    assert not array.any()
    array[...] = 1
    assert array.sum() == array.size


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("elements", [0, 1, 16, 17])
def test_no_two_workers_share_a_cache_line(elements, dtype):
    rows = scratch(elements, dtype)
    assert rows.shape[1] >= elements
    assert rows.strides[0] % 64 == 0 or elements == 0
    assert rows.ctypes.data % 64 == 0 or elements == 0


class Rows(NamedTuple):
    points: np.ndarray
    bias: np.ndarray


def test_there_is_a_row_for_each_thread_there_is_now():
    rows = scratch(4, "float32")
    kept = WorkerScratch(Rows(rows, np.zeros(3)))
    for threads in (available_threads(), 1):
        set_threads(threads)
        assert len(workers(rows)) == threads
        assert len(kept.rows().points) == threads
        assert np.shares_memory(kept.rows().points, rows)
        assert kept.rows() is kept.rows()
        assert kept.rows().bias is kept.whole.bias, "one row for all workers"


def test_a_flat_array_is_a_view_where_it_can_be():
    array = np.arange(12.0).reshape(3, 4)
    assert np.shares_memory(flat(array), array)
    np.testing.assert_array_equal(flat(array), np.arange(12))
    np.testing.assert_array_equal(flat(array[:, ::2]), [0, 2, 4, 6, 8, 10])


@pytest.mark.parametrize("samples", [1, 3, GROUPS, 43])
@pytest.mark.parametrize("columns", [1, 63, 200, 20_000])
def test_rows_of_groups_are_added_where_the_tree_says(samples, columns):
    """The bits of plain recursion, whatever the number of columns is cut into."""
    values = np.random.default_rng(5).standard_normal((samples, columns)).astype("float32")
    tree = group_tree(samples)
    sums = np.stack(
        [values[start:stop].sum(0) for start, stop in zip(tree.bounds, tree.bounds[1:], strict=False)]
    )
    # within a group in order, as NumPy does along the first axis
    for first in range(0, columns, 999):
        add_columns(sums, tree.merges, first, min(first + 999, columns))
    assert sums[tree.rows[0]].tobytes() == tree_sum(values, GROUPS).tobytes()


@pytest.mark.parametrize("first", [0, 8])
def test_the_sums_of_a_shard_are_those_of_its_nodes(first):
    values = np.arange(8 * 6, dtype="float64").reshape(8, 2, 3)
    tree = group_tree(8, 16, first)
    sums = sum_groups(values, tree)
    assert sums.shape == (len(tree.nodes), 2, 3)
    np.testing.assert_array_equal(sums.sum(0), values.sum(0))


def test_rows_that_do_not_lie_in_one_piece_are_summed_too():
    values = np.arange(40.0).reshape(4, 10)[:, ::2]
    np.testing.assert_array_equal(sum_groups(values, group_tree(4))[0], values.sum(0))


def test_arrays_count_as_held_until_nothing_refers_to_them():
    before = held_bytes()
    whole = zeros_aligned((3, 1000), "float32")
    part = whole[1:]
    assert held_bytes() == before + 12000
    del whole
    assert held_bytes() == before + 12000
    del part
    assert held_bytes() == before
