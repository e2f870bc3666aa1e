"""Batch normalisation of a whole batch that is here: a kernel a pass, where shards of a batch take three.

It has the same loops in the same order, and so the same bits. Between two kernels Python's own caches are
cold, so that what it does there takes as long as a small layer.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mpmm_kernels.arrays import Array, Floats, flat, zeros_aligned
from mpmm_kernels.groups import GROUPS, GroupTree
from mpmm_kernels.layers.batchnorm import (
    Affine,
    BatchStatistics,
    give_gradient,
    normalise_pieces,
    normalised_by_total,
    sum_gradients,
    sum_samples,
)
from mpmm_kernels.layers.normalising import NORM_ROWS, Normalised
from mpmm_kernels.runtime import SameTypes, compiled, threads_for
from mpmm_kernels.vector import goes_past


@dataclass(frozen=True)
class BatchNormBuffers:
    """What a layer works with, from a forward to its backward.

    Attributes
    ----------
    epsilon, floor
        Added to the variance; what no output falls below, 0 with ReLU behind.
    groups
        Sums of the groups of samples, (groups, 2 * channels), float64.
    statistics
        The batch's mean, variance and inverse deviation, (3, channels), float64.
    by
        What the last forward normalised by: views of those and the norm.
    """

    epsilon: float
    floor: float
    groups: Floats
    statistics: Floats
    by: Normalised
    run_forward: SameTypes
    run_backward: SameTypes


def allocate(channels: int, dtype: np.dtype[Any], epsilon: float, relu: bool) -> BatchNormBuffers:
    """Buffers for a layer of so many channels."""
    statistics, norm = np.zeros((3, channels)), zeros_aligned((NORM_ROWS, channels), dtype)
    return BatchNormBuffers(
        epsilon=epsilon,
        floor=0.0 if relu else -np.inf,
        groups=np.zeros((GROUPS, 2 * channels)),
        statistics=statistics,
        by=Normalised(statistics[0], statistics[2], norm),
        run_forward=SameTypes(_forward),
        run_backward=SameTypes(_backward),
    )


class BatchNormArrays(NamedTuple):
    """Arrays (n, ..., channels): what was normalised, and what is made of it or of its gradient.

    ``sums`` (n, 2, channels), float64, take those of each sample.
    """

    x: Floats
    y: Floats
    sums: Floats


def forward(
    arrays: BatchNormArrays,
    buffers: BatchNormBuffers,
    tree: GroupTree,
    affine: Affine,
    running: BatchStatistics,
) -> None:
    """Fill y by x, normalised by the statistics of all samples, which go to ``running`` too.

    Parameters
    ----------
    tree
        Of the whole batch.
    """
    x, y, sums = arrays
    means, variances, part = running
    numbers, rows = (buffers.epsilon, buffers.floor, part), (tree.bounds, tree.merges)
    with threads_for(x.size) as workers:
        made, read = y.reshape(-1), flat(x)
        work = sums.reshape(-1), sums.reshape(len(sums), -1), buffers.groups, *rows
        past = goes_past([made], [read], soon=True)
        outputs = means, variances, buffers.statistics, buffers.by.norm.reshape(-1)
        buffers.run_forward(read, made, *work, *numbers, *affine, *outputs, past, workers)


@compiled
def _forward(
    x: Floats,
    y: Floats,
    sums: Floats,
    rows: Floats,
    groups: Floats,
    bounds: Array,
    merges: Array,
    epsilon: float,
    floor: float,
    part: float,
    gamma: Floats,
    beta: Floats,
    mean: Floats,
    variance: Floats,
    statistics: Array,
    norm: Floats,
    past: bool,
    workers: int,
) -> None:
    work = sums, rows, groups, bounds, merges
    sum_samples(x, *work, workers)
    channels = gamma.size
    numbers = x.size // channels, epsilon, floor, part
    outputs = gamma, beta, mean, variance, statistics, norm.reshape(NORM_ROWS, channels)
    normalised_by_total(groups[0].reshape(2, channels), *numbers, *outputs)
    normalise_pieces(x, norm, y, past, workers)


def backward(
    arrays: BatchNormArrays, dy: Floats, buffers: BatchNormBuffers, tree: GroupTree, gradients: Affine
) -> None:
    """Fill y, which is dx now, and the gradients of the affine, by that of what the last `forward` made."""
    x, dx, sums = arrays
    by, rows = buffers.by, (tree.bounds, tree.merges)
    with threads_for(x.size) as workers:
        made, read, gradient = dx.reshape(-1), flat(x), flat(dy)
        work = sums.reshape(-1), sums.reshape(len(sums), -1), buffers.groups, *rows
        past = goes_past([made], [read, gradient], soon=True)
        statistics = by.mean, by.inverse, by.norm.reshape(-1)
        buffers.run_backward(read, gradient, made, *work, *statistics, *gradients, past, workers)


@compiled
def _backward(
    x: Floats,
    dy: Floats,
    dx: Floats,
    sums: Floats,
    rows: Floats,
    groups: Floats,
    bounds: Array,
    merges: Array,
    mean: Array,
    inverse: Array,
    norm: Floats,
    gamma_gradient: Floats,
    beta_gradient: Floats,
    past: bool,
    workers: int,
) -> None:
    by, work = (mean, inverse, norm), (sums, rows, groups, bounds, merges)
    sum_gradients(x, dy, *by, *work, workers)
    channels = inverse.size
    total, affine = (groups[0].reshape(2, channels), x.size // channels), (gamma_gradient, beta_gradient)
    give_gradient(x, dy, inverse, norm, *total, *affine, dx, past, workers)
