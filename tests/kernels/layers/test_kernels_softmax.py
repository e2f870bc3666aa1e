"""Softmax and cross-entropy against plain Python, central differences and PyTorch."""

import numpy as np
import pytest
from mpmm_kernels.layers.softmax import cross_entropy, softmax
from naive import classification as naive
from naive.gradients import central_differences, relative_error

CHOICES = [(False, 0.0), (True, 0.0), (False, 0.1), (True, 0.2)]
SHAPES = [(1, 1), (1, 2), (7, 5), (40, 20)]


class Problem:
    def __init__(self, shape, dtype, weighted, smoothing):
        rng = np.random.default_rng(13)
        self.logits = 4 * rng.standard_normal(shape).astype(dtype)
        self.labels = rng.integers(0, shape[1], shape[0]).astype(np.int16)
        self.weights = (rng.random(shape[1]) + 0.5 if weighted else np.ones(shape[1])).astype(dtype)
        self.smoothing = smoothing
        self.scale = 1 / float(self.weights[self.labels].sum())

    def solve(self):
        losses, gradient = np.full(len(self.logits), np.nan), np.full_like(self.logits, np.nan)
        options = self.smoothing, self.scale
        cross_entropy(self.logits, self.labels, self.weights, *options, losses, gradient)
        return losses, gradient


@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize(("weighted", "smoothing"), CHOICES)
@pytest.mark.parametrize("shape", SHAPES)
def test_equals_plain_python(shape, weighted, smoothing, dtype, error):
    problem = Problem(shape, dtype, weighted, smoothing)
    losses, gradient = problem.solve()
    rows = zip(problem.logits.tolist(), problem.labels.tolist(), strict=True)
    for n, (row, label) in enumerate(rows):
        options = label, problem.weights.tolist(), smoothing
        assert losses[n] == pytest.approx(naive.cross_entropy(row, *options), abs=10 * error)
        expected = np.array(naive.cross_entropy_backward(row, *options)) * problem.scale
        np.testing.assert_allclose(gradient[n], expected, rtol=0, atol=error)


@pytest.mark.parametrize(("weighted", "smoothing"), CHOICES)
def test_gradient_by_central_differences(weighted, smoothing):
    problem = Problem((5, 4), "float64", weighted, smoothing)
    expected = central_differences(lambda: problem.scale * problem.solve()[0].sum(), problem.logits)
    assert relative_error(problem.solve()[1], expected) < 1e-6


@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-10), ("float32", 1e-4)])
@pytest.mark.parametrize(("weighted", "smoothing"), CHOICES)
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_equals_pytorch(shape, weighted, smoothing, dtype, error):
    torch = pytest.importorskip("torch")
    problem = Problem(shape, dtype, weighted, smoothing)
    logits = torch.from_numpy(problem.logits.copy()).requires_grad_()
    loss = torch.nn.functional.cross_entropy(
        logits,
        torch.from_numpy(problem.labels.astype(np.int64)),
        torch.from_numpy(problem.weights),
        label_smoothing=smoothing,
    )
    loss.backward()
    losses, gradient = problem.solve()
    assert losses.sum() * problem.scale == pytest.approx(loss.item(), rel=error, abs=error)
    # probabilities are rounded as numbers up to 1 are, however close to 1 they and their difference to 0
    assert np.abs(gradient - logits.grad.numpy()).max() < error * problem.scale


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_softmax_is_stable_row_by_row(dtype):
    """One row's huge logit must not push another row's exponentials under the smallest number."""
    logits = np.array([[1e4, 0, -1e4], [0.0, 1.0, 2.0], [-1e4, -1e4, -1e4]], dtype)
    probabilities = np.full_like(logits, np.nan)
    softmax(logits, probabilities)
    for row, actual in zip(logits.tolist(), probabilities, strict=True):
        np.testing.assert_allclose(actual, naive.softmax(row), rtol=1e-6)


def test_a_certain_and_wrong_answer_costs_its_distance():
    losses, gradient = np.empty(1), np.empty((1, 2))
    logits = np.array([[0.0, 1000.0]])
    cross_entropy(logits, np.array([0]), np.ones(2), 0.0, 1.0, losses, gradient)
    assert losses.item() == pytest.approx(1000.0)
    np.testing.assert_allclose(gradient, [[-1.0, 1.0]])
