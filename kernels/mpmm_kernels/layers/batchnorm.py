"""Batch normalisation over samples and positions, per channel (Ioffe and Szegedy 2015, arXiv:1502.03167).

Arrays are (n, positions, channels). Sums are made per sample, in float64, and added up group by group: who
holds only a shard of the samples tells the others its partial sums, and gets the same bits.
"""

from typing import NamedTuple

import numpy as np
from numba import prange

from mpmm_kernels.arrays import Array, Floats, flat
from mpmm_kernels.layers.normalising import NORM_ROWS, Normalisation, normalise_pixels
from mpmm_kernels.runtime import compiled, next_piece, threads_for, tickets


def batchnorm_sums(x: Floats, sums: Floats) -> None:
    """Fill sums (n, 2, channels), float64: each sample's sum of x and of x squared."""
    with threads_for(x.size) as workers:
        _sums(x, sums, workers)


def batchnorm_statistics(total: Floats, count: int) -> tuple[Floats, Floats]:
    """Mean and (biased) variance (channels,) of ``count`` values a channel, from their sums (2, channels)."""
    mean = total[0] / count
    return mean, np.maximum(total[1] / count - mean * mean, 0.0)


class BatchScale(NamedTuple):
    """A batch's mean and 1 / sqrt(variance + epsilon), and the trained scale; (channels,) each."""

    mean: Floats
    inverse: Floats
    gamma: Floats


def normalisation(scale: BatchScale, beta: Floats, dtype: str, relu: bool = False) -> Normalisation:
    """A batch's normalisation of arrays of a type; with ``relu`` its floor is 0, else there is none."""
    mean, inverse, gamma = scale
    floor: float = np.dtype(dtype).type(0.0 if relu else -np.inf)
    mean, factor, beta = (np.ascontiguousarray(each, dtype) for each in (mean, inverse * gamma, beta))
    return Normalisation(mean, factor, beta, floor)


def normalise(x: Floats, norm: Normalisation, y: Floats) -> None:
    """Fill y = (x - mean) * scale + beta, or the floor where that is less; y may be x.

    With the batch's statistics when training, with the running ones afterwards. ReLU in the same pass saves
    another through memory; a NaN stays one.
    """
    values, made = flat(x), y.reshape(-1)
    with threads_for(x.size) as workers:
        _normalise(values, flat(norm_rows(norm, x.shape[-1], x.dtype.name)), made, len(x), workers)


def norm_rows(norm: Normalisation | None, channels: int, dtype: str) -> Floats:
    """Mean, scale, beta and floor of each channel, as kernels take them (4, channels); or no row."""
    rows = np.empty((0 if norm is None else NORM_ROWS, channels), dtype)
    for row, values in zip(rows, norm or (), strict=True):
        row[...] = values
    return rows


class Normalised(NamedTuple):
    """By what a training's forward has normalised: in float64, and as arrays of its type."""

    scale: BatchScale
    norm: Normalisation


def batchnorm_backward_sums(x: Floats, dy: Floats, by: Normalised, sums: Floats) -> None:
    """Fill sums (n, 2, channels), float64: each sample's sum of dy and of dy * (x - mean) * inverse.

    Added over all samples they are the gradients of beta and gamma. Of dy counts what the norm's floor, if it
    is ReLU's, has let through, which x tells without a look at what it made: a trip through memory less.
    """
    with threads_for(x.size) as workers:
        _backward_sums(x, dy, by.scale.mean, by.scale.inverse, *by.norm, sums, workers)


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
    slope = by.scale.inverse * sums[1] / count
    with threads_for(x.size) as workers:
        _backward(x, dy, *by.norm, _as(x, sums[0] / count), _as(x, slope), dx, workers)


def exponential_average(running: Floats, batch: Floats, momentum: float) -> None:
    """Move running to momentum * running + (1 - momentum) * batch, in place."""
    running *= momentum
    running += (1 - momentum) * batch


def _as(like: Floats, values: Floats) -> Floats:
    return np.ascontiguousarray(values, like.dtype)


@compiled(parallel=True)
def _sums(x: Floats, sums: Array, workers: int) -> None:
    taken = tickets()
    for _worker in prange(workers):
        n = next_piece(taken)
        while n < x.shape[0]:
            _sample_sums(x[n], sums[n])
            n = next_piece(taken)


@compiled
def _sample_sums(x: Floats, sums: Array) -> None:
    sums[:] = 0
    for p in range(x.shape[0]):
        for c in range(x.shape[1]):
            value = np.float64(x[p, c])
            sums[0, c] += value
            sums[1, c] += value * value


@compiled(parallel=True)
def _normalise(x: Floats, norm: Floats, y: Floats, samples: int, workers: int) -> None:
    taken, pixels = tickets(), x.size // (norm.size // NORM_ROWS) // samples
    for _worker in prange(workers):
        n = next_piece(taken)
        while n < samples:
            normalise_pixels(x, n * pixels, pixels, norm, y)
            n = next_piece(taken)


@compiled(parallel=True)
def _backward_sums(
    x: Floats,
    dy: Floats,
    mean: Array,
    inverse: Array,
    shift: Floats,
    scale: Floats,
    beta: Floats,
    floor: float,
    sums: Array,
    workers: int,
) -> None:
    taken = tickets()
    for _worker in prange(workers):
        n = next_piece(taken)
        while n < x.shape[0]:
            _sample_backward_sums(x[n], dy[n], (mean, inverse), (shift, scale, beta), floor, sums[n])
            n = next_piece(taken)


@compiled
def _sample_backward_sums(
    x: Floats,
    dy: Floats,
    batch: tuple[Array, Array],
    norm: tuple[Floats, Floats, Floats],
    floor: float,
    sums: Array,
) -> None:
    (mean, inverse), (shift, scale, beta) = batch, norm
    sums[:] = 0
    for p in range(x.shape[0]):
        for c in range(x.shape[1]):
            made = (x[p, c] - shift[c]) * scale[c] + beta[c]
            gradient = np.float64(_through(dy[p, c], made, floor))
            sums[0, c] += gradient
            sums[1, c] += gradient * (np.float64(x[p, c]) - mean[c]) * inverse[c]


@compiled
def _through(dy: float, made: float, floor: float) -> float:
    """The gradient that a floor lets through: all where there is none."""
    return dy if (made > floor) | (floor < 0) else type(dy)(0)


@compiled(parallel=True)
def _backward(
    x: Floats,
    dy: Floats,
    mean: Floats,
    scale: Floats,
    beta: Floats,
    floor: float,
    level: Floats,
    slope: Floats,
    dx: Floats,
    workers: int,
) -> None:
    taken = tickets()
    for _worker in prange(workers):
        n = next_piece(taken)
        while n < x.shape[0]:
            _backward_sample(x[n], dy[n], (mean, scale, beta), floor, (level, slope), dx[n])
            n = next_piece(taken)


@compiled
def _backward_sample(
    x: Floats,
    dy: Floats,
    norm: tuple[Floats, Floats, Floats],
    floor: float,
    factors: tuple[Floats, Floats],
    dx: Floats,
) -> None:
    (mean, scale, beta), (level, slope) = norm, factors
    for p in range(x.shape[0]):
        for c in range(x.shape[1]):
            centred = x[p, c] - mean[c]
            gradient = _through(dy[p, c], centred * scale[c] + beta[c], floor)
            dx[p, c] = scale[c] * (gradient - level[c] - centred * slope[c])
