"""What methods do around their kernels: the core of a block, sigmoid, average pool."""

import numpy as np
import pytest
from mpmm_kernels.convolution import ConvolutionBlock, plan_block
from mpmm_kernels.convolution.shared.epilogue import (
    allocate_surroundings,
    argmax_bytes,
    begin_backward,
    core,
    epilogue_bytes,
    finish_forward,
    floor,
)
from mpmm_kernels.vector import lanes
from naive import pooling

WINDOW = (1, 2, 2)
NOTHING = np.zeros(0, "uint8")


def plan(pool, activation="none", dtype="float64"):
    window = WINDOW if pool else (1, 1, 1)
    block = ConvolutionBlock(3, (2, 2, 2), activation=activation, pool=pool, window=window)
    return plan_block((4, 7, 5, 2), block, dtype, "reference")


@pytest.mark.parametrize(("pool", "window"), [("max", WINDOW), ("average", (1, 1, 1)), (None, (1, 1, 1))])
def test_the_core_ends_with_the_max_pool(pool, window):
    whole = plan(pool)
    inner = core(whole)
    assert inner.window == window
    assert inner.output_shape == (whole.output_shape if pool == "max" else whole.convolved_shape)
    assert core(inner) == inner


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("activation", "bound"), [("relu", 0), ("none", -np.inf), ("sigmoid", -np.inf)])
def test_the_floor_is_relus_zero_or_none(activation, bound, dtype):
    value = floor(plan("max", activation, dtype))
    assert value == bound
    assert value.dtype == dtype


@pytest.mark.parametrize("activation", ["none", "sigmoid"])
@pytest.mark.parametrize("pool", ["max", "average", None])
def test_sigmoid_and_average_follow_the_core(pool, activation):
    whole = plan(pool, activation)
    arrays = allocate_surroundings(whole, 3)
    z = np.random.default_rng(1).standard_normal((2, *core(whole).output_shape))
    arrays.core_output[:2] = z
    expected = 1 / (1 + np.exp(-z)) if activation == "sigmoid" else z
    if pool == "average":
        expected = pooling.average_pool3d(expected, WINDOW, WINDOW)
    y = finish_forward(whole, arrays, 2)
    assert y.shape == (2, *whole.output_shape)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("activation", ["none", "sigmoid"])
@pytest.mark.parametrize("pool", ["max", "average", None])
def test_a_gradient_goes_back_to_the_core_by_central_differences(pool, activation):
    whole = plan(pool, activation)
    arrays, rng = allocate_surroundings(whole, 1), np.random.default_rng(2)
    z, dy = rng.standard_normal((1, *core(whole).output_shape)), rng.standard_normal((1, *whole.output_shape))

    def loss(values):
        arrays.core_output[:] = values
        return (finish_forward(whole, arrays, 1) * dy).sum()

    loss(z)
    gradient = begin_backward(whole, arrays, NOTHING, dy).dy.reshape(z.shape).copy()
    step = 1e-6
    last = tuple(length - 1 for length in z.shape)
    for position in ((0, 0, 0, 0, 0), (0, 1, 2, 1, 1), last):
        above, below = z.copy(), z.copy()
        above[position] += step
        below[position] -= step
        difference = (loss(above) - loss(below)) / (2 * step)
        np.testing.assert_allclose(gradient[position], difference, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("pool", ["max", "average", None])
def test_bytes_are_those_of_what_is_kept(pool):
    whole = plan(pool, dtype="float32")
    convolved = int(np.prod(whole.convolved_shape))
    assert epilogue_bytes(whole, 2) == (2 * 4 * convolved if pool == "average" else 0)
    pixels = int(np.prod(whole.output_shape[:3]))
    assert argmax_bytes(whole, 2) == (2 * pixels * lanes("float32") if pool == "max" else 0)
