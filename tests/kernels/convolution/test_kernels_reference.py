"""Blocks by the plain method: the whole against plain loops, and what their buffers promise."""

import numpy as np
import pytest
from mpmm_kernels.convolution import ConvolutionBlock, Gradients, Operands, block
from naive import convolution, pooling
from naive.gradients import central_differences, relative_error

VALID, SAME = ("valid",) * 3, ("same",) * 3
# input, filters, kernel, stride, padding, activation, pool, window
CASES = {
    "relu, max": ((6, 5, 5, 2), 3, (3, 2, 2), (1, 1, 1), VALID, "relu", "max", (2, 2, 2)),
    "sigmoid, average": ((5, 6, 4, 2), 3, (2, 3, 3), (1, 1, 1), SAME, "sigmoid", "average", (1, 2, 2)),
    "strided, one channel": ((7, 6, 5, 1), 4, (3, 3, 3), (2, 1, 2), SAME, "relu", "max", (3, 1, 1)),
    "linear, no pool": ((3, 4, 5, 2), 2, (3, 4, 5), (1, 1, 1), VALID, "none", None, (2, 2, 2)),
    "none, max": ((4, 4, 4, 1), 2, (1, 1, 1), (1, 1, 1), VALID, "none", "max", (2, 2, 2)),
    "relu, no pool": ((4, 3, 4, 2), 2, (2, 2, 2), (1, 1, 1), VALID, "relu", None, (1, 1, 1)),
}
ACTIVATIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda a: (a > 0).astype(float)),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda a: a * (1 - a)),
    "none": (lambda z: z, np.ones_like),
}


class Problem:
    def __init__(self, case, dtype="float64", samples=3):
        input_shape, *description = case
        self.plan = block.plan_block(input_shape, ConvolutionBlock(*description), dtype, "reference")
        rng = np.random.default_rng(23)
        sizes = (
            (samples, *self.plan.input_shape),
            self.plan.weights_shape,
            (self.plan.filters,),
            (samples, *self.plan.output_shape),
        )
        self.x, self.w, self.b, self.dy = (rng.standard_normal(size).astype(dtype) for size in sizes)
        self.buffers = block.allocate(self.plan, samples)

    @property
    def operands(self):
        return Operands(self.x, self.w, self.b)

    def forward(self):
        return block.forward(self.plan, self.buffers, self.operands)

    def backward(self, need_input_gradient=True):
        dw, db = np.full_like(self.w, np.nan), np.full_like(self.b, np.nan)
        gradients = Gradients.of_batch(self.dy, dw, db)
        dx = block.backward(self.plan, self.buffers, self.operands, gradients, need_input_gradient)
        return dx, dw, db

    def expected(self):
        plan = self.plan
        activate, slope = ACTIVATIONS[plan.activation]
        shape = plan.convolved_shape[:3]
        a = activate(convolution.conv3d(self.x, self.w, self.b, shape, plan.stride, plan.before))
        y, upper = a, self.dy
        if plan.pool == "max":
            y = pooling.max_pool3d(a, plan.window, plan.window)[0]
            upper = pooling.max_pool3d_backward(a, self.dy, plan.window, plan.window)
        elif plan.pool == "average":
            y = pooling.average_pool3d(a, plan.window, plan.window)
            upper = pooling.average_pool3d_backward(a, self.dy, plan.window, plan.window)
        gradients = convolution.conv3d_backward(self.x, self.w, upper * slope(a), plan.stride, plan.before)
        return y, gradients


@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-12), ("float32", 1e-4)])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_equals_plain_loops(case, dtype, error):
    problem = Problem(case, dtype)
    y, gradients = problem.expected()
    assert relative_error(problem.forward(), y) < error
    for actual, wanted in zip(problem.backward(), gradients, strict=True):
        assert relative_error(actual, wanted) < error


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_gradients_by_central_differences(case):
    problem = Problem(case, samples=1)
    problem.forward()
    actual = [gradient.copy() for gradient in problem.backward()]
    for gradient, array in zip(actual, (problem.x, problem.w, problem.b), strict=True):
        expected = central_differences(lambda: (problem.forward() * problem.dy).sum(), array, step=1e-6)
        assert relative_error(gradient, expected) < 1e-6


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_inference_gives_the_bits_of_forward(case):
    problem = Problem(case, "float32")
    y = problem.forward().copy()
    inferred = block.infer(problem.plan, problem.buffers, problem.operands)
    np.testing.assert_array_equal(inferred, y)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_smaller_batch_uses_the_same_buffers(case):
    """An epoch's last batch is smaller: what the one before left in the buffers must not leak into it."""
    large, small = Problem(case, samples=5), Problem(case, samples=2)
    small.forward()
    expected = [small.forward().copy(), *(gradient.copy() for gradient in small.backward())]
    large.forward()
    large.backward()
    small.buffers = large.buffers
    actual = [small.forward(), *small.backward()]
    for array, wanted in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(array, wanted)


def test_no_input_gradient_unless_needed():
    problem = Problem(CASES["relu, max"])
    problem.forward()
    dx, dw, db = problem.backward(need_input_gradient=False)
    assert dx is None
    _, wanted_dw, wanted_db = problem.backward()
    np.testing.assert_array_equal(dw, wanted_dw)
    np.testing.assert_array_equal(db, wanted_db)


def test_a_window_of_more_than_256_elements_remembers_its_argmax():
    """One byte holds 256 numbers; the argmax of a larger window needs two."""
    problem = Problem(((9, 6, 6, 1), 1, (1, 1, 1), (1, 1, 1), VALID, "none", "max", (9, 6, 6)), samples=4)
    y, gradients = problem.expected()
    np.testing.assert_allclose(problem.forward(), y, rtol=1e-14)
    np.testing.assert_allclose(problem.backward()[0], gradients[0], rtol=1e-12)
