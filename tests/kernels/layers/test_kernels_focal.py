"""Focal loss against plain Python, central differences and the cross-entropy that it generalises."""

import numpy as np
import pytest
from mpmm_kernels.layers.focal import focal_loss
from mpmm_kernels.layers.softmax import cross_entropy
from naive import classification as naive
from naive.gradients import central_differences, relative_error

RNG = np.random.default_rng(7)
LOGITS, LABELS = 3 * RNG.standard_normal((6, 5)), RNG.integers(0, 5, 6)
WEIGHTS = RNG.random(5) + 0.5


def solved(logits, gamma, smoothing=0.1, scale=0.5):
    losses, gradient = np.full(len(logits), np.nan), np.full_like(logits, np.nan)
    weights = WEIGHTS.astype(logits.dtype)
    focal_loss(logits, LABELS[: len(logits)], weights, smoothing, gamma, scale, losses, gradient)
    return losses, gradient


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_equals_plain_python_and_its_slope(gamma, smoothing):
    losses, gradient = solved(LOGITS, gamma, smoothing)
    for loss, row, label in zip(losses, LOGITS.tolist(), LABELS.tolist(), strict=True):
        assert loss == pytest.approx(naive.focal_loss(row, label, WEIGHTS.tolist(), smoothing, gamma))
    logits = LOGITS.copy()
    expected = central_differences(lambda: 0.5 * solved(logits, gamma, smoothing)[0].sum(), logits)
    assert relative_error(gradient, expected) < 1e-6


def test_no_focus_is_the_cross_entropy():
    losses, gradient = solved(LOGITS, 0.0)
    plain, slope = np.empty(6), np.empty_like(LOGITS)
    cross_entropy(LOGITS, LABELS, WEIGHTS, 0.1, 0.5, plain, slope)
    np.testing.assert_allclose(losses, plain, rtol=1e-13)
    np.testing.assert_allclose(gradient, slope, rtol=0, atol=1e-15)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_certain_answers_are_finite(dtype):
    """What is right to the last bit costs nothing, what is wrong its distance; no power of 0 is taken."""
    logits = np.zeros((2, 5), dtype)
    logits[0, LABELS[0]], logits[1, (LABELS[1] + 1) % 5] = 1000, 1000
    losses, gradient = solved(logits, 0.5, smoothing=0.0)
    np.testing.assert_allclose(losses, [0.0, 1000 * WEIGHTS[LABELS[1]]], rtol=1e-6)
    assert np.isfinite(gradient).all()
    assert (gradient[0] == 0).all()
