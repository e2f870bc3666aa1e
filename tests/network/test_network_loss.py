"""Softmax and cross-entropy of a batch: formulas, weights, parts of a batch, errors."""

import numpy as np
import pytest

from mpmm.errors import NetworkError
from mpmm.network import SoftmaxCrossEntropy, probabilities

LOGITS = np.random.default_rng(0).normal(size=(6, 4), scale=3)
LABELS = np.array([0, 1, 2, 3, 3, 1])
WEIGHTS = [0.5, 1.0, 2.0, 0.0]


def by_hand(logits, weights, smoothing):
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    targets = np.asarray(weights) * ((1 - smoothing) * np.eye(4)[LABELS] + smoothing / 4)
    return -(targets * logs).sum(axis=1).mean()


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_loss_and_gradient(weights, smoothing):
    loss = SoftmaxCrossEntropy(weights, smoothing)
    result = loss(LOGITS, LABELS)
    assert result.loss == pytest.approx(by_hand(LOGITS, weights or np.ones(4), smoothing), rel=1e-12)
    assert result.correct == (LOGITS.argmax(axis=1) == LABELS).sum()
    for index in ((0, 0), (2, 3), (5, 1)):
        shift = np.zeros_like(LOGITS)
        shift[index] = 1e-6
        slope = (loss(LOGITS + shift, LABELS).loss - loss(LOGITS - shift, LABELS).loss) / 2e-6
        assert result.dlogits[index] == pytest.approx(slope, abs=1e-8)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_focused_loss_and_gradient(weights):
    plain, loss = SoftmaxCrossEntropy(weights, 0.1), SoftmaxCrossEntropy(weights, 0.1, focus=2.0)
    result = loss(LOGITS, LABELS)
    assert 0 < result.loss < plain(LOGITS, LABELS).loss
    for index in ((0, 0), (2, 3), (5, 1)):
        shift = np.zeros_like(LOGITS)
        shift[index] = 1e-6
        slope = (loss(LOGITS + shift, LABELS).loss - loss(LOGITS - shift, LABELS).loss) / 2e-6
        assert result.dlogits[index] == pytest.approx(slope, abs=1e-8)


def test_parts_of_a_batch_add_up_to_the_whole():
    loss = SoftmaxCrossEntropy(WEIGHTS, 0.1)
    whole = loss(LOGITS, LABELS)
    parts = [loss(LOGITS[a:b], LABELS[a:b], batch=6) for a, b in ((0, 2), (2, 6))]
    assert sum(part.loss for part in parts) == pytest.approx(whole.loss, rel=1e-12)
    np.testing.assert_array_equal(np.concatenate([part.dlogits for part in parts]), whole.dlogits)


def test_huge_logits_neither_overflow_nor_disturb_other_rows():
    logits = np.array([[1e4, 0.0], [0.0, 1e-3]])
    loss = SoftmaxCrossEntropy()(logits, np.array([1, 0]))
    assert loss.loss == pytest.approx((1e4 + np.log(1 + np.exp(1e-3))) / 2)
    np.testing.assert_allclose(probabilities(logits).sum(axis=1), 1)


def test_probabilities_take_any_order():
    np.testing.assert_array_equal(probabilities(np.asfortranarray(LOGITS)), probabilities(LOGITS))


ERRORS = {
    "loss: labels are int64 (5,), expected (6,) integers": lambda: SoftmaxCrossEntropy()(LOGITS, LABELS[1:]),
    "loss: labels are float64 (6,), expected (6,) integers": lambda: SoftmaxCrossEntropy()(
        LOGITS, LABELS * 1.0
    ),
    "loss: labels from 1 to 4, the network has 4 classes": lambda: SoftmaxCrossEntropy()(
        LOGITS, LABELS.clip(1) + LABELS // 3
    ),
    "loss: labels from -1 to 2, the network has 4 classes": lambda: SoftmaxCrossEntropy()(LOGITS, LABELS - 1),
    "loss: 3 class weights, the network has 4 classes": lambda: SoftmaxCrossEntropy([1, 1, 1])(
        LOGITS, LABELS
    ),
    "loss: class weights must be finite and not negative": lambda: SoftmaxCrossEntropy([1, -1]),
    "loss: focus is -1.0, expected 0 or more": lambda: SoftmaxCrossEntropy(focus=-1.0),
    "loss: label smoothing is 1.0, expected 0 or more, less than 1": lambda: SoftmaxCrossEntropy(None, 1.0),
}


@pytest.mark.parametrize("message", ERRORS)
def test_what_does_not_fit_is_refused(message):
    with pytest.raises(NetworkError) as caught:
        ERRORS[message]()
    assert caught.value.problem == message
