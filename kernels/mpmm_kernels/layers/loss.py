"""The loss of a batch in one kernel: of each sample, its gradient, whether its class is correct, and sums."""

from typing import NamedTuple

import numpy as np

from mpmm_kernels.arrays import Array, Floats, sum_rows
from mpmm_kernels.groups import group_tree
from mpmm_kernels.layers.focal import focal_loss
from mpmm_kernels.layers.softmax import cross_entropy
from mpmm_kernels.runtime import CallsByType, compiled


class Target(NamedTuple):
    """What logits are to be: labels (n,), int64, weights (classes,), and the share spread over all classes.

    ``focus`` is the gamma of a focal loss, 0 of the cross-entropy.
    """

    labels: Array
    class_weights: Floats
    smoothing: float
    focus: float


class BatchScores(NamedTuple):
    """Of a batch: (n, 2) losses, and 1 where the class is correct; their sums; smallest and largest label.

    What labels outside the classes make is no loss: who gives them has to look at these two.
    """

    samples: Array
    sums: Array
    labels: tuple[int, int]


def batch_loss(logits: Floats, target: Target, scale: float, dlogits: Floats) -> BatchScores:
    """Fill dlogits, contiguous, by the gradient of scale * sum of losses, logits being (n, classes)."""
    logits, tree = np.ascontiguousarray(logits), group_tree(len(logits))
    samples, sums, ends = np.empty((len(logits), 2)), np.empty((len(tree.merges), 2)), np.empty(2, np.int64)
    scored = dlogits, samples, ends, (tree.bounds, tree.merges, sums)
    labels, weights, smoothing, focus = target
    if focus:
        _focal.of(logits.dtype)(logits, labels, weights, smoothing, focus, scale, *scored)
    else:
        _plain.of(logits.dtype)(logits, labels, weights, smoothing, scale, *scored)
    return BatchScores(samples, sums[0], (int(ends[0]), int(ends[1])))


@compiled
def _cross_entropy(
    logits: Floats,
    labels: Array,
    class_weights: Floats,
    smoothing: float,
    scale: float,
    dlogits: Floats,
    samples: Array,
    ends: Array,
    rows: tuple[Array, Array, Array],
) -> None:
    losses = np.empty(len(logits))
    cross_entropy(logits, labels, class_weights, smoothing, scale, losses, dlogits)
    _score(logits, labels, losses, samples, ends, rows)


@compiled
def _focal_loss(
    logits: Floats,
    labels: Array,
    class_weights: Floats,
    smoothing: float,
    focus: float,
    scale: float,
    dlogits: Floats,
    samples: Array,
    ends: Array,
    rows: tuple[Array, Array, Array],
) -> None:
    losses = np.empty(len(logits))
    focal_loss(logits, labels, class_weights, smoothing, focus, scale, losses, dlogits)
    _score(logits, labels, losses, samples, ends, rows)


@compiled
def _score(
    logits: Floats,
    labels: Array,
    losses: Array,
    samples: Array,
    ends: Array,
    rows: tuple[Array, Array, Array],
) -> None:
    """Fill samples, their sums and the ends of the labels.

    Of equal logits the first wins, and one that is no number. ``rows`` are the tree's, and the sums' own.
    """
    ends[0] = ends[1] = labels[0]
    for n in range(labels.size):
        best = 0
        for k in range(1, logits.shape[1]):
            top, value = logits[n, best], logits[n, k]
            if top == top and not value <= top:
                best = k
        samples[n, 0], samples[n, 1] = losses[n], 1.0 if best == labels[n] else 0.0
        ends[0], ends[1] = min(ends[0], labels[n]), max(ends[1], labels[n])
    bounds, merges, sums = rows
    sum_rows(samples, bounds, merges, sums)


_plain, _focal = CallsByType(_cross_entropy), CallsByType(_focal_loss)
