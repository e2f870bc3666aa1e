"""Batch normalisation over samples and positions, per channel (Ioffe and Szegedy 2015, arXiv:1502.03167).

Arrays are (n, ..., channels), contiguous. Sums are made per sample, in float64, and added up group by group:
who holds only a shard of the samples tells the others its partial sums, and gets the same bits. What is done
with few numbers is done by the kernels that go through many: Python took as long as they for small layers.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from mpmm_kernels.arrays import Array, Floats, left_rows, sum_rows
from mpmm_kernels.groups import GroupTree
from mpmm_kernels.layers.batch_sums import (
    GRADIENT_ROWS,
    gradient_piece,
    sample_gradient_sums,
    sample_sums,
)
from mpmm_kernels.layers.normalising import NORM_ROWS, Normalisation, Normalised, around, normalise_piece
from mpmm_kernels.runtime import compiled, next_piece, threads_for, tickets
from mpmm_kernels.vector import PIECE, end_streams, goes_past


def batchnorm_sums(x: Floats, sums: Floats, tree: GroupTree) -> Floats:
    """Fill sums (n, 2, channels), float64: each sample's sum of x and of x squared.

    Returns
    -------
    numpy.ndarray
        (nodes, 2, channels): what the groups of samples add up to.
    """
    rows = _rows_of(sums, tree)
    with threads_for(x.size) as workers:
        sum_samples(x.reshape(-1), *rows, workers)
    return left_rows(rows.groups, tree).reshape(-1, *sums.shape[1:])


class _SumRows(NamedTuple):
    """The samples' sums, flat and as a row each; rows for the groups, and how a `GroupTree` makes those."""

    sums: Floats
    samples: Floats
    groups: Floats
    bounds: Array
    merges: Array


def _rows_of(sums: Floats, tree: GroupTree) -> _SumRows:
    """Sums (n, 2, channels) as kernels fill them and add them up."""
    samples = sums.reshape(len(sums), -1)
    groups = np.empty((len(tree.merges), samples.shape[1]))
    return _SumRows(sums.reshape(-1), samples, groups, tree.bounds, tree.merges)


class Affine(NamedTuple):
    """The trained scale and shift of normalised values z, (channels,) each: gamma * z + beta."""

    gamma: Floats
    beta: Floats


class BatchTotal(NamedTuple):
    """The whole batch's sums (2, channels), float64, and over how many values of a channel they are."""

    sums: Floats
    values: int


class BatchStatistics(NamedTuple):
    """A batch's statistics as the running ones take them: (channels,), times the batch's part of them."""

    mean: Floats
    variance: Floats
    part: float


def normalised_by(statistics: Floats, epsilon: float, affine: Affine, relu: bool = False) -> Normalised:
    """What normalises by mean and variance (2, channels), float64; with ``relu`` the floor is 0."""
    gamma, beta = affine
    norm, inverse = np.empty((NORM_ROWS, len(gamma)), gamma.dtype), np.empty(len(gamma))
    _normalised_by(statistics, epsilon, gamma, beta, 0.0 if relu else -np.inf, inverse, norm)
    return Normalised(statistics[0], inverse, norm)


def normalised_by_batch(
    total: BatchTotal, epsilon: float, affine: Affine, relu: bool, running: BatchStatistics
) -> Normalised:
    """What normalises by the batch's mean and (biased) variance.

    Parameters
    ----------
    total
        Sums of x and of x squared.
    epsilon, affine, relu
        As of `normalised_by`.
    running
        Where the mean goes, and the unbiased variance if there are two values or more.
    """
    gamma, beta = affine
    statistics, norm = np.empty((3, len(gamma))), np.empty((NORM_ROWS, len(gamma)), gamma.dtype)
    floor = 0.0 if relu else -np.inf
    means, variances, part = running
    numbers = *total, epsilon, floor, part
    normalised_by_total(*numbers, gamma, beta, means, variances, statistics, norm)
    return Normalised(statistics[0], statistics[2], norm)


def normalise(x: Floats, norm: Normalisation, y: Floats) -> None:
    """Fill y = (x - mean) * scale + beta, or the floor where that is less; y may be x.

    With the batch's statistics when training, with the running ones afterwards. ReLU in the same pass saves
    another through memory; a NaN stays one.
    """
    values, made = x.reshape(-1), y.reshape(-1)
    with threads_for(x.size) as workers:
        normalise_pieces(values, norm.reshape(-1), made, goes_past([made], [values], soon=True), workers)


def batchnorm_backward_sums(x: Floats, dy: Floats, by: Normalised, sums: Floats, tree: GroupTree) -> Floats:
    """Fill sums (n, 2, channels), float64: each sample's sum of dy and of dy * (x - mean) * inverse.

    Added over all samples they are the gradients of beta and gamma. Of dy counts what the norm's floor, if it
    is ReLU's, has let through, which x tells without a look at what it made: a trip through memory less.

    Returns
    -------
    numpy.ndarray
        (nodes, 2, channels): what the groups of samples add up to.
    """
    rows = _rows_of(sums, tree)
    with threads_for(x.size) as workers:
        arrays = x.reshape(-1), dy.reshape(-1), by.mean, by.inverse, by.norm.reshape(-1)
        sum_gradients(*arrays, *rows, workers)
    return left_rows(rows.groups, tree).reshape(-1, *sums.shape[1:])


def batchnorm_backward(
    x: Floats, dy: Floats, by: Normalised, total: BatchTotal, dx: Floats, gradients: Affine
) -> None:
    """Fill dx = gamma * inverse * (dy - mean of dy - z * mean of dy z), z being (x - mean) * inverse.

    Parameters
    ----------
    by
        What the forward normalised by; behind ReLU dy counts where that was positive.
    total
        Sums of dy and of dy z.
    gradients
        Filled with those of gamma and beta.
    """
    with threads_for(x.size) as workers:
        arrays = x.reshape(-1), dy.reshape(-1), by.inverse, by.norm.reshape(-1)
        past = goes_past([dx], [x, dy], soon=True)
        give_gradient(*arrays, *total, *gradients, dx.reshape(-1), past, workers)


def exponential_average(running: Floats, batch: Floats, momentum: float) -> None:
    """Move running to momentum * running + (1 - momentum) * batch, in place."""
    running *= momentum
    running += (1 - momentum) * batch


@compiled
def normalised_by_total(
    total: Array,
    count: int,
    epsilon: float,
    floor: float,
    part: float,
    gamma: Floats,
    beta: Floats,
    mean: Floats,
    variance: Floats,
    statistics: Array,
    norm: Floats,
) -> None:
    """Fill statistics (mean, variance, inverse) and norm by sums of x and of x squared."""
    unbiased = count / (count - 1) if count > 1 else 1.0
    for c in range(gamma.size):
        center = total[0, c] / count
        spread = np.maximum(total[1, c] / count - center * center, 0.0)
        statistics[0, c], statistics[1, c] = center, spread
        mean[c], variance[c] = center * part, spread * unbiased * part
    _normalised_by(statistics, epsilon, gamma, beta, floor, statistics[2], norm)


@compiled
def _normalised_by(
    statistics: Array, epsilon: float, gamma: Floats, beta: Floats, floor: float, inverse: Array, norm: Floats
) -> None:
    for c in range(gamma.size):
        inverse[c] = 1.0 / np.sqrt(statistics[1, c] + epsilon)
        norm[0, c] = statistics[0, c]
        norm[1, c] = inverse[c] * gamma[c]
        norm[2, c] = beta[c]
        norm[3, c] = floor


@compiled(parallel=True)
def sum_samples(
    x: Floats, sums: Floats, rows: Floats, groups: Floats, bounds: Array, merges: Array, workers: int
) -> None:
    """Fill the sums of samples, and of groups of them."""
    taken, samples, channels = tickets(), len(rows), rows.shape[1] // 2
    pixels = x.size // (samples * channels)
    for _worker in prange(workers):
        n = next_piece(taken)
        while n < samples:
            sample_sums(x, n, pixels, channels, sums)
            n = next_piece(taken)
    sum_rows(rows, bounds, merges, groups)


@compiled(parallel=True)
def normalise_pieces(x: Floats, norm: Floats, y: Floats, past: bool, workers: int) -> None:
    """Fill y, piece by piece, by the rows of a norm."""
    taken, pieces, channels = tickets(), -(-x.size // PIECE), norm.size // NORM_ROWS
    rows = around(norm, NORM_ROWS, channels, x)
    for _worker in prange(workers):
        piece = next_piece(taken)
        while piece < pieces:
            part = piece * PIECE, min((piece + 1) * PIECE, x.size)
            normalise_piece(x, part, rows, channels, y, past)
            piece = next_piece(taken)
        end_streams()


@compiled(parallel=True)
def sum_gradients(
    x: Floats,
    dy: Floats,
    mean: Array,
    inverse: Array,
    norm: Floats,
    sums: Floats,
    rows: Floats,
    groups: Floats,
    bounds: Array,
    merges: Array,
    workers: int,
) -> None:
    """Fill the sums of samples' gradients, and of groups of them."""
    taken, samples, channels = tickets(), len(rows), rows.shape[1] // 2
    pixels = x.size // (samples * channels)
    for _worker in prange(workers):
        by, n = Normalised(mean, inverse, norm), next_piece(taken)
        while n < samples:
            sample_gradient_sums(x, dy, n, pixels, channels, by, sums)
            n = next_piece(taken)
    sum_rows(rows, bounds, merges, groups)


@compiled(parallel=True)
def give_gradient(
    x: Floats,
    dy: Floats,
    inverse: Array,
    norm: Floats,
    sums: Array,
    count: int,
    gamma_gradient: Floats,
    beta_gradient: Floats,
    dx: Floats,
    past: bool,
    workers: int,
) -> None:
    """Fill dx, piece by piece, and the gradients of gamma and beta."""
    channels = inverse.size
    each = np.empty(GRADIENT_ROWS * channels, x.dtype)
    for i in range(norm.size):
        each[i] = norm[i]
    for c in range(channels):
        beta_gradient[c], gamma_gradient[c] = sums[0, c], sums[1, c]
        each[norm.size + c] = sums[0, c] / count
        each[norm.size + channels + c] = inverse[c] * sums[1, c] / count
    rows = around(each, GRADIENT_ROWS, channels, x)
    taken, pieces = tickets(), -(-x.size // PIECE)
    for _worker in prange(workers):
        piece = next_piece(taken)
        while piece < pieces:
            part = piece * PIECE, min((piece + 1) * PIECE, x.size)
            gradient_piece(x, dy, part, rows, channels, dx, past)
            piece = next_piece(taken)
        end_streams()
