"""Dense layers against NumPy's einsum (no BLAS), central differences and PyTorch."""

import numpy as np
import pytest
from mpmm_kernels.layers.dense import (
    dense_backward_activation,
    dense_backward_input,
    dense_backward_weights,
    dense_forward,
)
from naive.gradients import central_differences, relative_error

# the last in whole vectors: rows that fill no block, and more terms than are added at a time
SHAPES = [(1, 1, 1), (1, 7, 3), (5, 3, 8), (40, 33, 20), (11, 304, 48)]
# so many inputs of one vector of units have kernels of their own
NARROW = (9, 4101, 5)
ACTIVATIONS = ("none", "relu", "sigmoid")


class Problem:
    def __init__(self, shape, dtype, activation):
        samples, inputs, units = shape
        rng = np.random.default_rng(11)
        self.x, self.w, self.b, self.dy = (
            rng.standard_normal(size).astype(dtype)
            for size in ((samples, inputs), (inputs, units), (units,), (samples, units))
        )
        self.activation = activation

    def forward(self):
        y = np.full_like(self.dy, np.nan)
        dense_forward(self.x, self.w, self.b, y, self.activation)
        return y

    def backward(self):
        dx, dw, db, dz = (np.full_like(array, np.nan) for array in (self.x, self.w, self.b, self.dy))
        dense_backward_activation(self.forward(), self.dy, dz, self.activation)
        dense_backward_input(dz, self.w, dx)
        dense_backward_weights(self.x, dz, dw, db)
        return dx, dw, db


@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-13), ("float32", 1e-5)])
@pytest.mark.parametrize("shape", [*SHAPES, NARROW])
def test_equals_plain_sums(shape, dtype, error):
    problem = Problem(shape, dtype, "none")
    x, w, dy = (array.astype(float) for array in (problem.x, problem.w, problem.dy))
    assert relative_error(problem.forward(), np.einsum("ni,iu->nu", x, w) + problem.b) < error
    dx, dw, db = problem.backward()
    assert relative_error(dx, np.einsum("nu,iu->ni", dy, w)) < error
    assert relative_error(dw, np.einsum("ni,nu->iu", x, dy)) < error
    assert relative_error(db, np.einsum("nu->u", dy)) < error


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", SHAPES[1:3])
def test_gradients_by_central_differences(shape, activation):
    problem = Problem(shape, "float64", activation)
    for actual, array in zip(problem.backward(), (problem.x, problem.w, problem.b), strict=True):
        expected = central_differences(lambda: (problem.forward() * problem.dy).sum(), array)
        assert relative_error(actual, expected) < 1e-6


@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-10), ("float32", 1e-4)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_equals_pytorch(shape, activation, dtype, error):
    torch = pytest.importorskip("torch")
    problem = Problem(shape, dtype, activation)
    x, w, b = (torch.from_numpy(array.copy()).requires_grad_() for array in (problem.x, problem.w, problem.b))
    z = x @ w + b
    y = z if activation == "none" else getattr(torch, activation)(z)
    y.backward(torch.from_numpy(problem.dy))
    assert relative_error(problem.forward(), y.detach().numpy()) < error
    for actual, theirs in zip(problem.backward(), (x, w, b), strict=True):
        assert relative_error(actual, theirs.grad.numpy()) < error


@pytest.mark.parametrize(
    ("inputs", "units"), [(768, 256), (768, 100), NARROW[1:]], ids=["micro-kernel", "BLAS", "narrow"]
)
def test_bits_follow_neither_the_number_of_threads_nor_the_address(inputs, units):
    """BLAS on two threads cuts the sums elsewhere; the layer must not notice what the process has set."""
    from mpmm_kernels.runtime import available_threads, set_threads
    from threadpoolctl import threadpool_limits

    problem = Problem((43, inputs, units), "float32", "none")
    answers = []
    for count, shift in ((1, 0), (2, 1), (3, 5)):
        moved = np.empty(problem.x.size + shift, np.float32)[shift:].reshape(problem.x.shape)
        moved[:] = problem.x
        problem.x = moved
        set_threads(min(count, available_threads()))
        with threadpool_limits(limits=count, user_api="blas"):
            answers.append([problem.forward(), *problem.backward()])
    for answer in answers[1:]:
        for actual, expected in zip(answer, answers[0], strict=True):
            np.testing.assert_array_equal(actual, expected)


def test_a_sample_gets_the_same_bits_in_any_batch():
    """It is one sum in order, whatever rows are made together with it."""
    problem = Problem((11, 304, 48), "float32", "relu")
    whole, (dx, _, _) = problem.forward(), problem.backward()
    problem.x, problem.dy = problem.x[8:], problem.dy[8:]
    np.testing.assert_array_equal(problem.forward(), whole[8:])
    np.testing.assert_array_equal(problem.backward()[0], dx[8:])
