"""Shards of a batch: what each leaves of a layer's gradients adds up to the bits of the whole batch."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from mpmm_kernels.groups import GROUPS, add_up, additions, group_bounds

from mpmm.network import EVALUATION, BlockSpec, Step
from mpmm.network.activation_layer import ActivationLayer
from mpmm.network.batchnorm import BatchNorm
from mpmm.network.convolution import Convolution
from mpmm.network.dense import Dense
from mpmm.network.initialisation import Initializer

CUTS = [(3,), (1, 7), (4, 8, 12), tuple(range(1, GROUPS))]
# the methods' own ways to find the weights' gradient, by kernels that tests of blocks compile: input, block,
# dtype
CONVOLUTIONS = {
    "reference": ((9, 6, 6, 3), BlockSpec(4, (3, 2, 2), stride=(2, 1, 1), window=(1, 2, 2)), "float64"),
    "winograd-spectral": ((12, 7, 7, 1), BlockSpec(20, (7, 3, 3), window=(2, 2, 2)), "float32"),
    "winograd-depth": ((9, 4, 4, 24), BlockSpec(24, (7, 1, 1), padding="same", pool="none"), "float32"),
    "winograd": ((6, 9, 9, 16), BlockSpec(16, (3, 3, 3), pool="none"), "float32"),
    "indirect": ((3, 6, 30, 8), BlockSpec(8, (2, 2, 2), pool="none"), "float32"),
    "direct": (
        (3, 6, 8, 3),
        BlockSpec(20, (2, 3, 4), stride=(1, 2, 1), padding="same", pool="none"),
        "float32",
    ),
}


def convolution(method):
    """A layer that computes by a method, whichever is the fastest for its shapes."""
    shape, spec, dtype = CONVOLUTIONS[method]
    layer = Convolution(
        "c",
        shape,
        spec,
        initializer=Initializer(1, dtype),
        kernels="reference" if method == "reference" else "fast",
        needs_input_gradient=True,
    )
    layer.plan = replace(layer.plan, method=method)
    return layer


def check(make, samples, dtype):
    """Outputs, input gradients and parameters' gradients of shards against the whole batch's."""
    whole, step = make(), Step(training=True, number=3, seed=1)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((samples, *whole.input_shape)).astype(dtype)
    y = whole.forward(x, step).copy()
    dy = rng.standard_normal(y.shape).astype(dtype)
    given = dy.tobytes()
    dx, gradients = whole.backward(dy).copy(), whole.gradients.copy()
    assert dy.tobytes() == given, "another layer may have got it too"
    for cuts in CUTS:
        shard, nodes, sums = make(), [], []
        for first, stop in itertools.pairwise([0, *cuts, GROUPS]):
            start, end = group_bounds(first, samples)[0], group_bounds(stop - 1, samples)[1]
            if end == start:
                continue
            part = Step(training=True, number=3, seed=1, first_sample=start, batch=samples)
            assert shard.forward(x[start:end], part).tobytes() == y[start:end].tobytes()
            assert shard.backward(dy[start:end]).tobytes() == dx[start:end].tobytes()
            nodes += part.tree(end - start).nodes
            sums += list(shard.gradients.copy())
        (total,) = add_up(sums, additions(tuple(nodes), samples).merges)
        assert total.tobytes() == gradients[0].tobytes()


@pytest.mark.parametrize("samples", [5, 19])
@pytest.mark.parametrize("method", CONVOLUTIONS)
def test_a_convolution(method, samples):
    check(lambda: convolution(method), samples, CONVOLUTIONS[method][2])


@pytest.mark.parametrize("samples", [5, 19])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("units", [7, 32])
def test_a_dense_layer(units, dtype, samples):
    check(lambda: Dense("d", 48, units, "relu", initializer=Initializer(1, dtype)), samples, dtype)


def test_relu_of_batch_normalisation_gives_the_bits_of_a_layer_behind_it():
    shape, rng = (3, 2, 4), np.random.default_rng(2)
    x, dy = (rng.standard_normal((5, *shape)).astype("float32") for _ in range(2))
    both, norm = BatchNorm("n", shape, "float32", relu=True), BatchNorm("n", shape, "float32")
    behind = ActivationLayer("a", shape, "relu", "float32")
    for step in (Step(training=False), Step(training=True)):
        assert both.forward(x, step).tobytes() == behind.forward(norm.forward(x, step), step).tobytes()
    assert both.backward(dy).tobytes() == norm.backward(behind.backward(dy)).tobytes()
    assert both.gradients.tobytes() == norm.gradients.tobytes()


def test_an_inference_normalises_by_the_values_of_now_wherever_they_lie():
    shape, rng = (3, 2, 4), np.random.default_rng(2)
    x, layer = rng.standard_normal((5, *shape)).astype("float32"), BatchNorm("n", shape, "float32")

    def expected(values):
        fresh = BatchNorm("n", shape, "float32")
        fresh.values[:] = values
        return fresh.forward(x, EVALUATION).tobytes()

    for index in range(layer.values.size):
        layer.values[index] += 0.5
        assert layer.forward(x, EVALUATION).tobytes() == expected(layer.values)
    before, values = layer.values, layer.values.copy()
    layer.take_values(values)
    before[:] = 7
    assert layer.forward(x, EVALUATION).tobytes() == expected(values)


@pytest.mark.parametrize("samples", [5, 19])
@pytest.mark.parametrize(("dtype", "relu"), [("float32", False), ("float64", False), ("float32", True)])
def test_batch_normalisation_whose_sums_are_added_up(dtype, relu, samples):
    shape, rng = (3, 2, 4), np.random.default_rng(2)
    x, dy = (rng.standard_normal((samples, *shape)).astype(dtype) for _ in range(2))
    whole = BatchNorm("n", shape, dtype, relu)
    y = whole.forward(x, Step(training=True)).copy()
    dx = whole.backward(dy).copy()
    for cuts in CUTS:
        edges = [
            (group_bounds(first, samples)[0], group_bounds(stop - 1, samples)[1])
            for first, stop in itertools.pairwise([0, *cuts, GROUPS])
        ]
        edges = [(start, end) for start, end in edges if end > start]
        layers = [BatchNorm("n", shape, dtype, relu) for _ in edges]
        steps = [Step(training=True, first_sample=start, batch=samples) for start, _ in edges]
        trees = [step.tree(end - start) for step, (start, end) in zip(steps, edges, strict=True)]
        nodes = tuple(node for tree in trees for node in tree.nodes)
        merges = additions(nodes, samples).merges
        parts = list(zip(layers, steps, edges, strict=True))
        measured = [row for layer, step, (a, b) in parts for row in layer.measure(x[a:b], step)]
        (total,) = add_up(measured, merges)
        for layer, _, (a, b) in parts:
            assert layer.proceed(total).tobytes() == y[a:b].tobytes()
        measured = [row for layer, _, (a, b) in parts for row in layer.measure_gradient(dy[a:b])]
        (total,) = add_up(measured, merges)
        for layer, _, (a, b) in parts:
            assert layer.proceed_back(total).tobytes() == dx[a:b].tobytes()
            assert layer.gradients.tobytes() == whole.gradients.tobytes()
