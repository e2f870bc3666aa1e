"""Pooling against plain loops, central differences and PyTorch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmm_kernels.layers.pooling import (
    average_pool3d_backward,
    average_pool3d_forward,
    max_pool3d_backward,
    max_pool3d_forward,
)
from naive import pooling as naive
from naive.gradients import central_differences, relative_error

# samples, volume, channels, window, stride
CASES = {
    "paper": (2, (6, 4, 4), 3, (2, 2, 2), (2, 2, 2)),
    "rest dropped": (2, (5, 7, 3), 2, (2, 2, 2), (2, 2, 2)),
    "one sample, one channel": (1, (4, 1, 1), 1, (2, 1, 1), (2, 1, 1)),
    "window as large as the input": (2, (3, 4, 5), 3, (3, 4, 5), (3, 4, 5)),
    "overlapping": (2, (5, 5, 5), 2, (3, 2, 3), (1, 2, 2)),
    "with gaps": (2, (7, 5, 6), 2, (2, 1, 2), (3, 2, 2)),
    "nothing pooled": (2, (2, 3, 2), 3, (1, 1, 1), (1, 1, 1)),
}


def arrays(case, dtype):
    """Input without ties (so that every maximum has a gradient), and an output's gradient."""
    samples, volume, channels, window, stride = case
    rng = np.random.default_rng(3)
    count = samples * int(np.prod(volume)) * channels
    x = rng.permutation(np.linspace(-1, 1, count)).reshape(samples, *volume, channels).astype(dtype)
    dy = rng.standard_normal(naive.shape(x, window, stride)).astype(dtype)
    return x, dy


def max_pool(x, dy, window, stride):
    y, dx, argmax = np.full_like(dy, np.nan), np.full_like(x, np.nan), np.zeros(dy.shape, np.uint8)
    max_pool3d_forward(x, y, argmax, window, stride)
    max_pool3d_backward(dy, argmax, dx, window, stride)
    return y, dx, argmax


def average_pool(x, dy, window, stride):
    y, dx = np.full_like(dy, np.nan), np.full_like(x, np.nan)
    average_pool3d_forward(x, y, window, stride)
    average_pool3d_backward(dy, dx, window, stride)
    return y, dx


@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-14), ("float32", 1e-6)])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_equals_plain_loops(case, dtype, error):
    (x, dy), (*_, window, stride) = arrays(case, dtype), case
    y, dx, argmax = max_pool(x, dy, window, stride)
    expected, places = naive.max_pool3d(x, window, stride)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(argmax, places)
    assert relative_error(dx, naive.max_pool3d_backward(x, dy, window, stride)) < error
    y, dx = average_pool(x, dy, window, stride)
    assert relative_error(y, naive.average_pool3d(x, window, stride)) < error
    assert relative_error(dx, naive.average_pool3d_backward(x, dy, window, stride)) < error


@pytest.mark.parametrize("pool", [max_pool, average_pool])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_gradient_by_central_differences(case, pool):
    (x, dy), (*_, window, stride) = arrays(case, "float64"), case
    expected = central_differences(lambda: (pool(x, dy, window, stride)[0] * dy).sum(), x)
    assert relative_error(pool(x, dy, window, stride)[1], expected) < 1e-6


@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-10), ("float32", 1e-4)])
@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_equals_pytorch(case, kind, dtype, error):
    torch = pytest.importorskip("torch")
    (x, dy), (*_, window, stride) = arrays(case, dtype), case
    theirs = torch.from_numpy(x.transpose(0, 4, 1, 2, 3).copy()).requires_grad_()
    functional = torch.nn.functional
    y = (functional.max_pool3d if kind == "max" else functional.avg_pool3d)(theirs, window, stride)
    y.backward(torch.from_numpy(dy.transpose(0, 4, 1, 2, 3).copy()))
    actual, dx = (max_pool if kind == "max" else average_pool)(x, dy, window, stride)[:2]
    assert relative_error(actual, y.detach().permute(0, 2, 3, 4, 1).numpy()) < error
    assert relative_error(dx, theirs.grad.permute(0, 2, 3, 4, 1).numpy()) < error


triples = st.tuples(*[st.integers(1, 3)] * 3)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(1, 3), triples, st.integers(1, 5), triples, triples)
def test_any_shape_equals_plain_loops(samples, beyond, channels, window, stride):
    volume = tuple(k + more for k, more in zip(window, beyond, strict=True))
    x, dy = arrays((samples, volume, channels, window, stride), "float64")
    y, dx, _ = max_pool(x, dy, window, stride)
    np.testing.assert_array_equal(y, naive.max_pool3d(x, window, stride)[0])
    np.testing.assert_allclose(dx, naive.max_pool3d_backward(x, dy, window, stride), rtol=0, atol=1e-13)
    y, dx = average_pool(x, dy, window, stride)
    np.testing.assert_allclose(y, naive.average_pool3d(x, window, stride), rtol=0, atol=1e-13)
    np.testing.assert_allclose(dx, naive.average_pool3d_backward(x, dy, window, stride), rtol=0, atol=1e-13)


def test_first_of_equals_wins():
    x, dy = np.ones((1, 2, 2, 2, 3)), np.ones((1, 1, 1, 1, 3))
    _, dx, argmax = max_pool(x, dy, (2, 2, 2), (2, 2, 2))
    assert not argmax.any()
    assert dx[0, 0, 0, 0].tolist() == [1, 1, 1]
    assert dx.sum() == 3


def test_nan_is_not_hidden_by_a_maximum():
    x = np.zeros((1, 2, 2, 2, 1))
    x[0, 0, 1, 0] = np.nan
    y, _, argmax = max_pool(x, np.ones((1, 1, 1, 1, 1)), (2, 2, 2), (2, 2, 2))
    assert np.isnan(y).all()
    assert argmax.item() == 2
