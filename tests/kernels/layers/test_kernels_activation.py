"""ReLU and sigmoid against NumPy's own, central differences and PyTorch."""

import numpy as np
import pytest
from mpmm_kernels.layers import activation
from naive.gradients import central_differences, relative_error

NAMES = ("relu", "sigmoid")
ORACLES = {
    "relu": lambda x: np.where(x > 0, x, 0),
    "sigmoid": lambda x: np.array([1 / (1 + np.exp(-value)) for value in x.ravel()]).reshape(x.shape),
}


def forward(name, x):
    y = np.full_like(x, np.nan)
    getattr(activation, name)(x, y)
    return y


def backward(name, y, dy):
    dx = np.full_like(dy, np.nan)
    getattr(activation, f"{name}_backward")(y, dy, dx)
    return dx


@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-14), ("float32", 1e-6)])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (2, 3, 1, 4, 2)])
@pytest.mark.parametrize("name", NAMES)
def test_equals_its_formula(name, shape, dtype, error):
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    assert relative_error(forward(name, x) + 1, ORACLES[name](x.astype(float)) + 1) < error


@pytest.mark.parametrize("name", NAMES)
def test_gradient_by_central_differences(name):
    rng = np.random.default_rng(1)
    x, dy = rng.standard_normal((3, 7)), rng.standard_normal((3, 7))
    expected = central_differences(lambda: (forward(name, x) * dy).sum(), x)
    assert relative_error(backward(name, forward(name, x), dy), expected) < 1e-6


@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-10), ("float32", 1e-4)])
@pytest.mark.parametrize("name", NAMES)
def test_equals_pytorch(name, dtype, error):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    x, dy = (3 * rng.standard_normal((4, 9)).astype(dtype) for _ in range(2))
    theirs = torch.from_numpy(x.copy()).requires_grad_()
    y = getattr(torch, name)(theirs)
    y.backward(torch.from_numpy(dy))
    assert relative_error(forward(name, x), y.detach().numpy()) < error
    assert relative_error(backward(name, forward(name, x), dy), theirs.grad.numpy()) < error


@pytest.mark.parametrize("name", NAMES)
def test_works_in_place(name):
    x = np.random.default_rng(3).standard_normal((4, 6))
    expected = forward(name, x)
    getattr(activation, name)(x, x)
    np.testing.assert_array_equal(x, expected)


def test_sigmoid_neither_overflows_nor_loses_its_ends():
    x = np.array([[-1e4, -750.0, -30.0, 0.0, 30.0, 750.0, 1e4]])
    with np.errstate(all="raise"):
        y = forward("sigmoid", x)[0]
    assert y[0] == 0.0
    assert y[3] == 0.5
    assert y[-1] == 1.0
    assert y[2] == pytest.approx(np.exp(-30), rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_nan_stays_nan(name):
    assert np.isnan(forward(name, np.array([[np.nan]]))).all()
