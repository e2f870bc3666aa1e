"""3D convolution against plain loops, central differences and PyTorch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmm_kernels.convolution import Gradients
from mpmm_kernels.convolution.plan import convolved_length
from mpmm_kernels.convolution.reference.kernels import (
    conv3d_backward_input,
    conv3d_backward_weights,
    conv3d_forward,
)
from naive import convolution as naive
from naive.gradients import central_differences, relative_error

VALID, SAME = ("valid",) * 3, ("same",) * 3
# samples, input volume, channels in and out, kernel, stride, padding
CASES = {
    "one sample, one channel": (1, (5, 4, 3), 1, 1, (2, 3, 1), (1, 1, 1), VALID),
    "odd sizes": (2, (5, 7, 3), 3, 5, (3, 3, 3), (1, 1, 1), VALID),
    "kernel as large as the input": (2, (3, 4, 5), 2, 3, (3, 4, 5), (1, 1, 1), VALID),
    "pointwise": (3, (2, 3, 2), 4, 2, (1, 1, 1), (1, 1, 1), VALID),
    "stride 2": (2, (7, 6, 5), 2, 3, (3, 2, 3), (2, 2, 2), VALID),
    "stride over the kernel": (2, (8, 7, 7), 2, 2, (2, 1, 2), (3, 2, 3), VALID),
    "same": (2, (4, 5, 3), 2, 3, (3, 3, 3), (1, 1, 1), SAME),
    "same, even kernel": (2, (4, 3, 5), 2, 3, (2, 4, 2), (1, 1, 1), SAME),
    "same, kernel over the input": (2, (3, 2, 3), 1, 4, (5, 5, 5), (1, 1, 1), SAME),
    "same, stride 2": (2, (5, 6, 7), 2, 3, (3, 3, 4), (2, 2, 2), SAME),
    "padding and stride per axis": (2, (5, 6, 7), 1, 2, (3, 3, 2), (1, 2, 3), ("same", "valid", "same")),
}


class Problem:
    """Arrays of one convolution with random values."""

    def __init__(self, case, dtype):
        samples, volume, inputs, outputs, kernel, self.stride, padding = case
        rng = np.random.default_rng(7)
        axes = [convolved_length(*axis) for axis in zip(volume, kernel, self.stride, padding, strict=True)]
        self.shape, self.before = (tuple(values) for values in zip(*axes, strict=True))
        self.x = rng.standard_normal((samples, *volume, inputs)).astype(dtype)
        self.w = rng.standard_normal((*kernel, inputs, outputs)).astype(dtype)
        self.b = rng.standard_normal(outputs).astype(dtype)
        self.dy = rng.standard_normal((samples, *self.shape, outputs)).astype(dtype)

    def forward(self):
        y = np.full_like(self.dy, np.nan)
        conv3d_forward(self.x, self.w, self.b, y, self.stride, self.before)
        return y

    def backward(self):
        dx, dw, db = (np.full_like(array, np.nan) for array in (self.x, self.w, self.b))
        conv3d_backward_input(self.dy, self.w, dx, self.stride, self.before)
        gradients = Gradients.of_batch(self.dy, dw, db)
        conv3d_backward_weights(self.x, gradients, self.stride, self.before)
        return dx, dw, db

    def loss(self):
        return float((self.forward() * self.dy).sum())


@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-13), ("float32", 1e-5)])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_equals_plain_loops(case, dtype, error):
    problem = Problem(case, dtype)
    expected = naive.conv3d(problem.x, problem.w, problem.b, problem.shape, problem.stride, problem.before)
    assert relative_error(problem.forward(), expected) < error
    gradients = naive.conv3d_backward(problem.x, problem.w, problem.dy, problem.stride, problem.before)
    for actual, wanted in zip(problem.backward(), gradients, strict=True):
        assert relative_error(actual, wanted) < error


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_gradients_by_central_differences(case):
    problem = Problem(case, "float64")
    for actual, array in zip(problem.backward(), (problem.x, problem.w, problem.b), strict=True):
        assert relative_error(actual, central_differences(problem.loss, array)) < 1e-6


@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-10), ("float32", 1e-4)])
@pytest.mark.parametrize(
    "case",
    [
        *CASES.values(),
        (1, (48, 25, 25), 1, 16, (7, 3, 3), (1, 1, 1), VALID),
        (2, (21, 11, 11), 16, 32, (5, 3, 3), (1, 1, 1), VALID),
        (3, (3, 25, 25), 1, 16, (3, 3, 3), (1, 1, 1), ("same", "valid", "valid")),
    ],
    ids=[*CASES, "paper, hsi.block1", "paper, hsi.block2", "paper, rgb.block1"],
)
def test_equals_pytorch(case, dtype, error):
    torch = pytest.importorskip("torch")
    problem = Problem(case, dtype)
    x = torch.from_numpy(problem.x.transpose(0, 4, 1, 2, 3).copy()).requires_grad_()
    w = torch.from_numpy(problem.w.transpose(4, 3, 0, 1, 2).copy()).requires_grad_()
    b = torch.from_numpy(problem.b.copy()).requires_grad_()
    y = torch.nn.functional.conv3d(torch.nn.functional.pad(x, pads(case, problem)), w, b, problem.stride)
    y.backward(torch.from_numpy(problem.dy.transpose(0, 4, 1, 2, 3).copy()))
    assert relative_error(problem.forward(), y.detach().permute(0, 2, 3, 4, 1).numpy()) < error
    dx, dw, db = problem.backward()
    assert relative_error(dx, x.grad.permute(0, 2, 3, 4, 1).numpy()) < error
    assert relative_error(dw, w.grad.permute(2, 3, 4, 1, 0).numpy()) < error
    assert relative_error(db, b.grad.numpy()) < error


def pads(case, problem):
    """Zeros before and after each axis, last axis first, as PyTorch's pad wants them."""
    _, volume, _, _, kernel, stride, _ = case
    wanted = []
    for o, s, k, i, before in list(zip(problem.shape, stride, kernel, volume, problem.before, strict=True))[
        ::-1
    ]:
        wanted += [before, max((o - 1) * s + k - i - before, 0)]
    return wanted


lengths = st.tuples(*[st.integers(1, 6)] * 3)
kernels = st.tuples(*[st.integers(1, 4)] * 3)
strides = st.tuples(*[st.integers(1, 3)] * 3)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(1, 3), lengths, st.integers(1, 3), st.integers(1, 5), kernels, strides)
def test_any_shape_with_same_padding_equals_plain_loops(samples, volume, inputs, outputs, kernel, stride):
    problem = Problem((samples, volume, inputs, outputs, kernel, stride, SAME), "float64")
    expected = naive.conv3d(problem.x, problem.w, problem.b, problem.shape, stride, problem.before)
    np.testing.assert_allclose(problem.forward(), expected, rtol=0, atol=1e-12)
    gradients = naive.conv3d_backward(problem.x, problem.w, problem.dy, stride, problem.before)
    for actual, wanted in zip(problem.backward(), gradients, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=0, atol=1e-12)


def test_more_samples_than_groups_all_count():
    """A batch that does not divide by the number of groups must not lose the samples left over."""
    problem = Problem((37, (2, 2, 2), 1, 2, (2, 2, 2), (1, 1, 1), VALID), "float64")
    _, dw, db = problem.backward()
    _, wanted_dw, wanted_db = naive.conv3d_backward(problem.x, problem.w, problem.dy, (1, 1, 1), (0, 0, 0))
    assert relative_error(dw, wanted_dw) < 1e-13
    assert relative_error(db, wanted_db) < 1e-13
