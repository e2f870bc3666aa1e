"""Batch normalisation against plain formulae, central differences and PyTorch."""

import numpy as np
import pytest
from mpmm_kernels.groups import add_up, additions, group_tree
from mpmm_kernels.layers import exponential_average
from mpmm_kernels.layers.activation import relu
from mpmm_kernels.layers.batchnorm import (
    Affine,
    BatchStatistics,
    BatchTotal,
    batchnorm_backward,
    batchnorm_backward_sums,
    batchnorm_sums,
    normalise,
    normalised_by,
    normalised_by_batch,
)
from naive import normalisation as naive
from naive.gradients import central_differences, relative_error

EPSILON = 1e-3
SHAPES = [(2, 1, 1), (1, 5, 3), (5, 7, 3), (40, 9, 16), (3, 130, 24), (2, 65, 40)]


class Problem:
    def __init__(self, shape, dtype):
        rng = np.random.default_rng(5)
        self.x = (3 * rng.standard_normal(shape) + 2).astype(dtype)
        self.dy = rng.standard_normal(shape).astype(dtype)
        self.gamma, self.beta = rng.random(shape[2]).astype(dtype) + 0.5, rng.random(shape[2]).astype(dtype)
        self.count = shape[0] * shape[1]

        self.tree = group_tree(shape[0])
        self.affine = Affine(self.gamma, self.beta)
        self.running = BatchStatistics(*np.full((2, shape[2]), np.nan, dtype), 1.0)

    def normalised_by(self, relu=False):
        sums = np.full((len(self.x), 2, self.x.shape[2]), np.nan)
        (total,) = batchnorm_sums(self.x, sums, self.tree)
        return normalised_by_batch(BatchTotal(total, self.count), EPSILON, self.affine, relu, self.running)

    def forward(self, relu=False):
        y = np.full_like(self.x, np.nan)
        normalise(self.x, self.normalised_by(relu).norm, y)
        return y

    def backward(self, relu=False, dy=None):
        sums, dx = np.full((len(self.x), 2, self.x.shape[2]), np.nan), np.full_like(self.x, np.nan)
        by, dy = self.normalised_by(relu), self.dy if dy is None else dy
        (total,) = batchnorm_backward_sums(self.x, dy, by, sums, self.tree)
        gradients = Affine(*np.full((2, self.x.shape[2]), np.nan, dx.dtype))
        batchnorm_backward(self.x, dy, by, BatchTotal(total, self.count), dx, gradients)
        return dx, *gradients


@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_the_textbook(shape, dtype, error):
    problem = Problem(shape, dtype)
    expected = naive.batchnorm(problem.x, problem.gamma, problem.beta, EPSILON)
    np.testing.assert_allclose(problem.forward(), expected, rtol=0, atol=10 * error)
    gradients = naive.batchnorm_backward(problem.x, problem.gamma, problem.dy, EPSILON)
    for actual, wanted in zip(problem.backward(), gradients, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=0, atol=10 * error)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_backward_through_relu_has_the_bits_of_relu_in_a_pass_of_its_own(shape, dtype):
    """Where ReLU lets a gradient through follows from the input, so that the output is not read again."""
    problem = Problem(shape, dtype)
    problem.beta[0] = -0.0
    problem.x[0, 0, -1] = problem.x[-1, -1, 0]
    let_through = np.where(problem.forward(relu=True) > 0, problem.dy, 0).astype(dtype)
    assert shape[0] < 3 or ((let_through == 0).any() and (let_through != 0).any())
    for actual, wanted in zip(problem.backward(relu=True), problem.backward(dy=let_through), strict=True):
        assert actual.tobytes() == wanted.tobytes()


def test_what_is_not_a_number_passes_no_relu_but_stays_one_without():
    """As of ReLU by itself, which lets through where its output is positive."""
    problem = Problem((5, 7, 3), "float64")
    normalised = [(floor, problem.normalised_by(floor)) for floor in (True, False)]
    problem.x[1, 2, 1] = np.nan
    for floor, by in normalised:
        dx = np.empty_like(problem.x)
        problem.dy[1, 2, 1], total = np.nan, BatchTotal(np.zeros((2, 3)), 35)
        batchnorm_backward(problem.x, problem.dy, by, total, dx, Affine(*np.empty((2, 3))))
        sums = np.empty((5, 2, 3))
        batchnorm_backward_sums(problem.x, problem.dy, by, sums, problem.tree)
        assert np.isnan(sums[1, 0, 1]) != floor
        assert np.isnan(dx[1, 2, 1])


@pytest.mark.parametrize("shape", SHAPES[1:3])
def test_gradients_by_central_differences(shape):
    problem = Problem(shape, "float64")
    arrays = problem.x, problem.gamma, problem.beta
    for actual, array in zip(problem.backward(), arrays, strict=True):
        expected = central_differences(lambda: (problem.forward() * problem.dy).sum(), array)
        assert relative_error(actual, expected) < 1e-6


@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-10), ("float32", 1e-4)])
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_equals_pytorch(shape, dtype, error):
    torch = pytest.importorskip("torch")
    problem = Problem(shape, dtype)
    x, gamma, beta = (
        torch.from_numpy(array.copy()).requires_grad_() for array in (problem.x, problem.gamma, problem.beta)
    )
    y = torch.nn.functional.batch_norm(x.permute(0, 2, 1), None, None, gamma, beta, True, eps=EPSILON)
    y.backward(torch.from_numpy(problem.dy).permute(0, 2, 1))
    assert relative_error(problem.forward(), y.detach().permute(0, 2, 1).numpy()) < error
    for actual, theirs in zip(problem.backward(), (x, gamma, beta), strict=True):
        assert relative_error(actual, theirs.grad.numpy()) < error


def test_shards_that_gather_their_sums_get_the_same_bits():
    problem = Problem((10, 6, 4), "float32")
    whole, shards = np.empty((10, 2, 4)), np.empty((10, 2, 4))
    (total,), partial, held = batchnorm_sums(problem.x, whole, problem.tree), [], []
    for start, stop in ((0, 5), (5, 10)):
        tree = group_tree(stop - start, 10, start)
        partial += [*batchnorm_sums(problem.x[start:stop], shards[start:stop], tree)]
        held += tree.nodes
    np.testing.assert_array_equal(shards, whole)
    assert len(partial) == len(held)
    (added,) = add_up(partial, additions(tuple(held), 10).merges)
    assert added.tobytes() == total.tobytes()


def test_the_running_statistics_take_the_batchs_part_of_mean_and_unbiased_variance():
    problem = Problem((5, 7, 3), "float32")
    problem.running = problem.running._replace(part=0.25)
    by = problem.normalised_by()
    np.testing.assert_allclose(problem.running.mean, problem.x.mean((0, 1)) / 4, rtol=1e-5)
    np.testing.assert_allclose(problem.running.variance, problem.x.var((0, 1), ddof=1) / 4, rtol=1e-5)
    np.testing.assert_allclose(by.mean, problem.x.mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(by.inverse, (problem.x.var((0, 1)) + EPSILON) ** -0.5, rtol=1e-5)


def test_a_constant_channel_has_no_negative_variance():
    problem = Problem((3, 50, 1), "float64")
    problem.x[...] = 0.1
    problem.normalised_by()
    assert problem.running.mean.item() == pytest.approx(0.1)
    assert 0 <= problem.running.variance.item() < 1e-15


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_relu_in_the_same_pass_gives_the_bits_of_relu_behind_it(dtype):
    problem = Problem((3, 35, 24), dtype)
    problem.x[1, 2, 3] = np.nan
    statistics = np.array([np.full(24, 2.0), np.full(24, 4.0)])
    problem.normalised_by = lambda relu=False: normalised_by(statistics, EPSILON, problem.affine, relu)
    expected = problem.forward()
    relu(expected, expected)
    made = problem.forward(relu=True)
    assert np.isnan(made[1, 2, 3])
    assert (made == 0).any()
    assert made.tobytes() == expected.tobytes()


def test_exponential_average():
    running = np.array([1.0, 2.0])
    exponential_average(running, np.array([3.0, 0.0]), 0.75)
    np.testing.assert_allclose(running, [1.5, 1.5])
