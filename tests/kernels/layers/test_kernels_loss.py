"""A batch's loss in one kernel: the parts it is made of, and which classes count as correct."""

import numpy as np
import pytest
from mpmm_kernels.groups import GROUPS
from mpmm_kernels.layers.focal import focal_loss
from mpmm_kernels.layers.loss import Target, batch_loss
from mpmm_kernels.layers.softmax import cross_entropy
from naive.groups import tree_sum


def drawn(samples, dtype):
    rng = np.random.default_rng(8)
    logits, labels = rng.standard_normal((samples, 7)).astype(dtype), rng.integers(0, 7, samples)
    return logits, labels, (rng.random(7) + 0.5).astype(dtype)


@pytest.mark.parametrize("focus", [0.0, 2.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("samples", [1, 5, GROUPS, 43])
def test_it_has_the_bits_of_its_parts(samples, dtype, focus):
    logits, labels, weights = drawn(samples, dtype)
    made, dlogits, losses = np.full_like(logits, np.nan), np.empty_like(logits), np.empty(samples)
    scored = batch_loss(logits, Target(labels, weights, 0.1, focus), 0.25, made)
    if focus:
        focal_loss(logits, labels, weights, 0.1, focus, 0.25, losses, dlogits)
    else:
        cross_entropy(logits, labels, weights, 0.1, 0.25, losses, dlogits)
    assert made.tobytes() == dlogits.tobytes()
    correct = logits.argmax(axis=1) == labels
    np.testing.assert_array_equal(scored.samples, np.stack([losses, correct], axis=1))
    assert scored.sums.tobytes() == tree_sum(scored.samples, GROUPS).tobytes()
    assert scored.labels == (labels.min(), labels.max())


def test_of_equal_logits_the_first_is_the_class_and_so_is_what_is_no_number():
    nan = np.nan
    rows = [[1, 1, 0], [0, 2, 2], [-np.inf, -np.inf, -np.inf], [0, nan, 5], [nan, 1, nan], [5, 0, nan]]
    logits = np.array(rows, "float32")
    for label in range(3):
        labels = np.full(len(rows), label)
        scored = batch_loss(
            logits, Target(labels, np.ones(3, "float32"), 0.0, 0.0), 1.0, np.empty_like(logits)
        )
        np.testing.assert_array_equal(scored.samples[:, 1], logits.argmax(axis=1) == label)


def test_logits_may_lie_in_any_order():
    logits, labels, weights = drawn(9, "float32")
    made = [np.empty_like(logits) for _ in range(2)]
    for array, out in zip((logits, np.asfortranarray(logits)), made, strict=True):
        batch_loss(array, Target(labels, weights, 0.0, 0.0), 1.0, out)
    assert made[0].tobytes() == made[1].tobytes()
