"""The tree over groups of samples: any cut into runs of groups gives the same bits."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmm_kernels.arrays import sum_groups
from mpmm_kernels.groups import GROUPS, add_up, additions, group_bounds, group_tree
from mpmm_kernels.layers.dense import dense_backward_weights
from naive.groups import tree_sum

CUTS = [(), (4,), (3,), (1, 7), (2, 4, 6), (1, 2, 5), tuple(range(1, GROUPS))]


def shards(samples, cuts):
    """First sample and number of each run of groups that has any."""
    edges = [0, *cuts, GROUPS]
    for first, stop in itertools.pairwise(edges):
        start, end = group_bounds(first, samples)[0], group_bounds(stop - 1, samples)[1]
        if end > start:
            yield start, end - start


def combined(partial, samples):
    """The batch's sum from what each shard has left: (tree, sums by node)."""
    nodes = tuple(node for tree, _ in partial for node in tree.nodes)
    sums = [total for _, totals in partial for total in totals]
    (total,) = add_up(sums, additions(nodes, samples).merges)
    return total


@pytest.mark.parametrize("samples", range(1, 3 * GROUPS))
def test_a_batch_leaves_one_sum_of_groups_that_cover_it(samples):
    tree = group_tree(samples)
    assert len(tree.nodes) == len(tree.rows) == 1
    assert (tree.bounds[0], tree.bounds[-1]) == (0, samples)
    assert (np.diff(tree.bounds) > 0).all()
    assert len(tree.merges) == min(samples, GROUPS)


@pytest.mark.parametrize("samples", range(1, 3 * GROUPS))
def test_a_run_of_groups_leaves_few_sums(samples):
    for first, stop in itertools.combinations(range(GROUPS + 1), 2):
        start, end = group_bounds(first, samples)[0], group_bounds(stop - 1, samples)[1]
        if end > start:
            nodes = group_tree(end - start, samples, start).nodes
            assert len(nodes) <= 2 * (math.log2(GROUPS) - 1)
            aligned = math.log2(stop - first).is_integer() and first % (stop - first) == 0
            assert len(nodes) == 1 or not aligned


def test_samples_that_cut_a_group_are_refused():
    with pytest.raises(ValueError, match="samples 0 to 2 of a batch of 32 are no run of whole groups"):
        group_tree(3, 32)
    with pytest.raises(ValueError, match="not parts of the tree"):
        additions(((1, 2),), 16)


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 50),
    st.sets(st.integers(1, GROUPS - 1)),
    st.sampled_from(["float32", "float64"]),
    st.integers(0, 99),
)
def test_any_cut_gives_the_bits_of_plain_recursion(samples, cuts, dtype, seed):
    values = np.random.default_rng(seed).normal(size=(samples, 3, 5)).astype(dtype)
    values[values < -1] = -0.0
    expected = tree_sum(values, GROUPS)
    assert sum_groups(values, group_tree(samples))[0].tobytes() == expected.tobytes()
    partial = []
    for first, count in shards(samples, sorted(cuts)):
        tree = group_tree(count, samples, first)
        partial.append((tree, sum_groups(values[first : first + count], tree)))
    assert combined(partial, samples).tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("samples", [5, 21])
@pytest.mark.parametrize("shape", [(12, 5), (16, 32)])
def test_a_dense_layers_gradients_by_shards(shape, samples, dtype):
    rng = np.random.default_rng(3)
    x, dz = (rng.standard_normal((samples, length)).astype(dtype) for length in shape)
    dw, db = np.empty(shape, dtype), np.empty(shape[1:], dtype)
    dense_backward_weights(x, dz, dw, db)
    for cuts in CUTS:
        weights, biases = [], []
        for first, count in shards(samples, cuts):
            tree = group_tree(count, samples, first)
            part, bias = (np.empty((len(tree.nodes), *like.shape), dtype) for like in (dw, db))
            dense_backward_weights(x[first : first + count], dz[first : first + count], part, bias, tree)
            weights.append((tree, part))
            biases.append((tree, bias))
        assert combined(weights, samples).tobytes() == dw.tobytes()
        assert combined(biases, samples).tobytes() == db.tobytes()
