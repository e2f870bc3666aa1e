"""Softmax with categorical cross-entropy: the loss of a batch and its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from mpmm_kernels.layers import loss as kernel
from mpmm_kernels.layers.softmax import softmax

from mpmm.errors import NetworkError
from mpmm.network.parameter import Array

Labels = npt.NDArray[np.integer[Any]]


class BatchLoss(NamedTuple):
    """Mean loss of a batch, its number of correct classes, and the loss gradient of its logits.

    ``samples`` (n, 2) holds the loss of each sample, and 1 if its class is correct, else 0: float64.
    """

    loss: float
    correct: int
    dlogits: Array
    samples: Array


class SoftmaxCrossEntropy:
    """Mean over the batch of - sum over classes k of t_k log softmax(logits)_k.

    The target is t_k = weight_k ((1 - smoothing) [k is the label] + smoothing / classes). With a focus each
    term is multiplied with (1 - softmax(logits)_k)^focus: what is learnt counts less. The mean is over
    the samples, not over their weights, so that parts of a batch add up to the whole; give class weights
    that are 1 on average over the samples.

    Parameters
    ----------
    class_weights
        One a class; ones by default.
    label_smoothing
        Share of the target spread over all classes, in [0, 1).
    focus
        The focal loss's gamma, 0 or more; 0 is the plain cross-entropy.

    Raises
    ------
    NetworkError
        A weight is negative or not finite, or the smoothing or focus is out of range.

    References
    ----------
    Goodfellow, Bengio, Courville, "Deep Learning", 2016, section 6.2.2.3; smoothing: Szegedy et al.,
    "Rethinking the Inception Architecture", CVPR 2016, section 7; focus: Lin et al., "Focal Loss for Dense
    Object Detection", ICCV 2017, eq. 4.
    """

    def __init__(
        self,
        class_weights: Sequence[float] | Array | None = None,
        label_smoothing: float = 0.0,
        focus: float = 0.0,
    ) -> None:
        weights = None if class_weights is None else np.asarray(class_weights, "float64")
        if weights is not None and not (np.isfinite(weights).all() and (weights >= 0).all()):
            raise NetworkError("loss: class weights must be finite and not negative", f"got {weights}")
        if not 0.0 <= label_smoothing < 1.0:
            raise NetworkError(
                f"loss: label smoothing is {label_smoothing}, expected 0 or more, less than 1",
                "it is the share of a label spread over all classes",
            )
        if not (np.isfinite(focus) and focus >= 0.0):
            raise NetworkError(f"loss: focus is {focus}, expected 0 or more", "0 is the plain cross-entropy")
        self.focus = float(focus)
        self.class_weights = weights
        self.label_smoothing = label_smoothing

    def __call__(self, logits: Array, labels: Labels, batch: int | None = None) -> BatchLoss:
        """Loss of one batch, or of a part of one.

        Parameters
        ----------
        logits
            (n, classes).
        labels
            (n,), class positions from 0.
        batch
            Samples of the whole batch that the mean is over, when this is a part of it; n by default.

        Raises
        ------
        NetworkError
            Labels do not fit the logits.
        """
        weights = self._demand_fit(logits, labels)
        dlogits, scale = np.empty(logits.shape, logits.dtype), 1.0 / (batch or len(logits))
        positions = np.ascontiguousarray(labels, np.int64)
        target = kernel.Target(positions, weights, float(self.label_smoothing), self.focus)
        samples, (total, correct), (first, last) = kernel.batch_loss(logits, target, scale, dlogits)
        if first < 0 or last >= logits.shape[1]:
            raise NetworkError(
                f"loss: labels from {first} to {last}, the network has {logits.shape[1]} classes",
                "labels are positions in the list of classes, from 0",
            )
        return BatchLoss(float(total) * scale, int(correct), dlogits, samples)

    def _demand_fit(self, logits: Array, labels: Labels) -> Array:
        """The class weights, once the shapes of logits, labels and they are known to fit each other."""
        samples, classes = logits.shape
        if labels.shape != (samples,) or labels.dtype.kind not in "iu":
            raise NetworkError(
                f"loss: labels are {labels.dtype} {labels.shape}, expected ({samples},) integers",
                "one class position a sample",
            )
        if self.class_weights is None:
            return _ones(classes, logits.dtype)
        if self.class_weights.shape != (classes,):
            raise NetworkError(
                f"loss: {self.class_weights.size} class weights, the network has {classes} classes",
                "give one a class",
            )
        return self.class_weights.astype(logits.dtype)


@cache
def _ones(classes: int, dtype: np.dtype[Any]) -> Array:
    """The weights of classes that count alike."""
    return np.ones(classes, dtype)


def probabilities(logits: Array) -> Array:
    """Softmax of each row of (n, classes)."""
    result = np.empty_like(logits)
    softmax(np.ascontiguousarray(logits), result)
    return result
