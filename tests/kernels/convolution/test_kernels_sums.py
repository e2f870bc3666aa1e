"""Rows of groups' gradients added up into those of weights and bias, however a row lies."""

import numpy as np
import pytest
from mpmm_kernels.convolution import ConvolutionBlock, Gradients, plan_block
from mpmm_kernels.convolution.shared.sums import (
    add_up_places,
    add_up_rows,
    give_other_nodes,
    row_of_taps,
    rows_of_groups,
)
from mpmm_kernels.groups import GROUPS, group_tree
from mpmm_kernels.runtime import available_threads
from naive.groups import tree_sum

# channels and filters as many as there are, or filled up; rows of taps of one part, and of several
SHAPES = [
    ((2, 3, 1), 3, 3, 5, 8),
    ((1, 1, 1), 70, 70, 35, 48),
    ((3, 2, 2), 16, 16, 32, 32),
    ((1, 2, 3), 2, 8, 4, 4),
]
TREES = {"whole": (GROUPS, 0, 0), "few samples": (3, 0, 0), "shard": (5, GROUPS, 1)}


def problem(shape, dtype, tree):
    """A plan, its row, and the groups' rows of gradients with what only fills up vectors not a number."""
    kernel, own_channels, channels, own_filters, filters = shape
    plan = plan_block((3, 3, 3, own_channels), ConvolutionBlock(own_filters, kernel), dtype, "reference")
    rng, groups = np.random.default_rng(4), len(tree.merges)
    weights = np.full((groups, *kernel, channels, filters), np.nan, dtype)
    weights[..., :own_channels, :own_filters] = rng.standard_normal((groups, *plan.weights_shape))
    bias = rng.standard_normal((groups, filters)).astype(dtype)
    return plan, row_of_taps(plan, channels, filters), weights, bias


def gradients_for(plan, dtype, tree):
    dw = np.full((len(tree.nodes), *plan.weights_shape), np.nan, dtype)
    return Gradients(np.zeros(1, dtype), dw, np.full((len(tree.nodes), plan.filters), np.nan, dtype), tree)


def expected(values, tree):
    """Each node's sum by plain recursion over its own groups, all of which have samples."""
    if len(tree.nodes) == 1:
        return [tree_sum(values, GROUPS)]
    starts = [first - tree.nodes[0][0] for first, _ in tree.nodes]
    stops = [last + 1 - tree.nodes[0][0] for _, last in tree.nodes]
    return [tree_sum(values[start:stop], stop - start) for start, stop in zip(starts, stops, strict=True)]


@pytest.mark.parametrize("threads", [1, available_threads()])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
@pytest.mark.parametrize("shape", SHAPES)
def test_rows_lead_to_weights_without_what_fills_up(shape, tree, dtype, threads):
    tree = group_tree(*tree)
    plan, row, weights, bias = problem(shape, dtype, tree)
    gradients, own = (
        gradients_for(plan, dtype, tree),
        weights[..., : plan.input_shape[3], : plan.filters].copy(),
    )
    own_bias = bias[:, : plan.filters].copy()
    sums = rows_of_groups(weights.reshape(len(weights), -1), bias, gradients)
    add_up_rows(sums.dw, sums.db, sums.merges, 0, sums.weights, sums.bias, row, threads)
    give_other_nodes(sums, row, gradients)
    for made, values in ((gradients.dw, own), (gradients.db, own_bias)):
        for node, total in zip(made, expected(values, tree), strict=True):
            assert node.tobytes() == np.ascontiguousarray(total).tobytes()


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_places_lead_to_weights_in_any_order(tree):
    tree, rng = group_tree(*tree), np.random.default_rng(5)
    plan, _, weights, bias = problem(SHAPES[2], "float32", tree)
    flat = weights.reshape(len(weights), -1)
    places = rng.permutation(flat.shape[1]).astype("uint32")
    gradients, own = gradients_for(plan, "float32", tree), flat[:, places].copy()
    sums = rows_of_groups(flat, bias, gradients)
    add_up_places(sums.dw, sums.db, sums.merges, 0, sums.weights, sums.bias, places, available_threads())
    give_other_nodes(sums, places, gradients)
    for node, total in zip(gradients.dw, expected(own, tree), strict=True):
        assert node.tobytes() == total.tobytes()


def test_gradients_that_lie_apart_are_refused():
    """Filled through a copy they would stay as they are."""
    tree = group_tree(2)
    plan, _, weights, bias = problem(SHAPES[0], "float64", tree)
    gradients = gradients_for(plan, "float64", tree)
    apart = np.zeros((*gradients.dw.shape, 2))[..., 0]
    with pytest.raises(AssertionError, match="filled in place"):
        rows_of_groups(weights.reshape(2, -1), bias, gradients._replace(dw=apart))
