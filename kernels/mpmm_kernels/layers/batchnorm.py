"""Batch normalisation over samples and positions, per channel (Ioffe and Szegedy 2015, arXiv:1502.03167).

Arrays are (n, positions, channels). Sums are made per sample, in float64, and added up group by group: who
holds only a shard of the samples tells the others its partial sums, and gets the same bits.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from mpmm_kernels.arrays import Array, Floats, flat
from mpmm_kernels.layers.batch_sums import (
    GRADIENT_ROWS,
    gradient_piece,
    sample_gradient_sums,
    sample_sums,
)
from mpmm_kernels.layers.normalising import NORM_ROWS, Normalisation, Normalised, around, normalise_piece
from mpmm_kernels.runtime import compiled, next_piece, threads_for, tickets
from mpmm_kernels.vector import PIECE, end_streams, goes_past


def batchnorm_sums(x: Floats, sums: Floats) -> None:
    """Fill sums (n, 2, channels), float64: each sample's sum of x and of x squared."""
    with threads_for(x.size) as workers:
        _sums(flat(x), sums.reshape(-1), *x.shape, workers)


def batchnorm_statistics(total: Floats, count: int) -> Floats:
    """Mean and (biased) variance (2, channels) of ``count`` values a channel, from the sums of these."""
    statistics = np.empty_like(total)
    _statistics(total, count, statistics)
    return statistics


class Affine(NamedTuple):
    """The trained scale and shift of normalised values z, (channels,) each: gamma * z + beta."""

    gamma: Floats
    beta: Floats


def normalised_by(statistics: Floats, epsilon: float, affine: Affine, relu: bool = False) -> Normalised:
    """What normalises by mean and variance (2, channels), float64; with ``relu`` the floor is 0."""
    gamma, beta = affine
    norm, inverse = np.empty((NORM_ROWS, len(gamma)), gamma.dtype), np.empty(len(gamma))
    _normalised_by(statistics, epsilon, gamma, beta, 0.0 if relu else -np.inf, inverse, norm)
    return Normalised(statistics[0], inverse, norm)


def normalise(x: Floats, norm: Normalisation, y: Floats) -> None:
    """Fill y = (x - mean) * scale + beta, or the floor where that is less; y may be x.

    With the batch's statistics when training, with the running ones afterwards. ReLU in the same pass saves
    another through memory; a NaN stays one.
    """
    values, made = flat(x), y.reshape(-1)
    with threads_for(x.size) as workers:
        _normalise(values, norm.reshape(-1), made, goes_past([made], [values], soon=True), workers)


def batchnorm_backward_sums(x: Floats, dy: Floats, by: Normalised, sums: Floats) -> None:
    """Fill sums (n, 2, channels), float64: each sample's sum of dy and of dy * (x - mean) * inverse.

    Added over all samples they are the gradients of beta and gamma. Of dy counts what the norm's floor, if it
    is ReLU's, has let through, which x tells without a look at what it made: a trip through memory less.
    """
    with threads_for(x.size) as workers:
        arrays = flat(x), flat(dy), by.mean, by.inverse, by.norm.reshape(-1), sums.reshape(-1)
        _backward_sums(*arrays, *x.shape, workers)


def batchnorm_backward(x: Floats, dy: Floats, by: Normalised, sums: Floats, count: int, dx: Floats) -> None:
    """Fill dx = gamma * inverse * (dy - mean of dy - z * mean of dy z), z being (x - mean) * inverse.

    Parameters
    ----------
    by
        What the forward normalised by; behind ReLU dy counts where that was positive.
    sums
        The whole batch's sums of dy and of dy z (2, channels).
    count
        The whole batch's number of values per channel.
    """
    with threads_for(x.size) as workers:
        arrays = flat(x), flat(dy), by.inverse, by.norm.reshape(-1), sums, count, dx.reshape(-1)
        _backward(*arrays, goes_past([dx], [x, dy], soon=True), workers)


def exponential_average(running: Floats, batch: Floats, momentum: float) -> None:
    """Move running to momentum * running + (1 - momentum) * batch, in place."""
    running *= momentum
    running += (1 - momentum) * batch


@compiled
def _statistics(total: Array, count: int, statistics: Array) -> None:
    for c in range(total.shape[1]):
        mean = total[0, c] / count
        statistics[0, c] = mean
        statistics[1, c] = np.maximum(total[1, c] / count - mean * mean, 0.0)


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
def _sums(x: Floats, sums: Floats, samples: int, pixels: int, channels: int, workers: int) -> None:
    taken = tickets()
    for _worker in prange(workers):
        n = next_piece(taken)
        while n < samples:
            sample_sums(x, n, pixels, channels, sums)
            n = next_piece(taken)


@compiled(parallel=True)
def _normalise(x: Floats, norm: Floats, y: Floats, past: bool, workers: int) -> None:
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
def _backward_sums(
    x: Floats,
    dy: Floats,
    mean: Array,
    inverse: Array,
    norm: Floats,
    sums: Floats,
    samples: int,
    pixels: int,
    channels: int,
    workers: int,
) -> None:
    taken = tickets()
    for _worker in prange(workers):
        by, n = Normalised(mean, inverse, norm), next_piece(taken)
        while n < samples:
            sample_gradient_sums(x, dy, n, pixels, channels, by, sums)
            n = next_piece(taken)


@compiled(parallel=True)
def _backward(
    x: Floats,
    dy: Floats,
    inverse: Array,
    norm: Floats,
    sums: Array,
    count: int,
    dx: Floats,
    past: bool,
    workers: int,
) -> None:
    channels = inverse.size
    each = np.empty(GRADIENT_ROWS * channels, x.dtype)
    for i in range(norm.size):
        each[i] = norm[i]
    for c in range(channels):
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
