"""Dropout with counter-based masks: whether a unit stays depends on (key, sample, unit) and nothing else.

No state is kept and no mask is stored: the backward pass makes the same one again, on any thread or rank.
The hash is SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014,
with the finaliser's constants of Stafford's variant 13): one stream a sample, its n-th number for unit n.
"""

import hashlib
from typing import Any

import numpy as np
from numba import prange

from mpmm_kernels.arrays import Floats
from mpmm_kernels.runtime import compiled, computing_threads, next_piece, tickets

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32)


def dropout_key(seed: int, layer_name: str, step: int) -> np.uint64:
    """Key of a layer's masks in one step: other seeds, layers or steps give unrelated masks."""
    digest = hashlib.blake2b(f"{seed}/{layer_name}/{step}".encode(), digest_size=8).digest()
    return np.uint64(int.from_bytes(digest, "little"))


def dropout(x: Floats, y: Floats, key: np.uint64, first_sample: int, rate: float) -> None:
    """Fill y with x / (1 - rate) where a unit stays and 0 where it is dropped; y may be x itself.

    Parameters
    ----------
    x, y
        (n, ...); a unit is an index into the flattened rest.
    first_sample
        Index of x's first sample in the whole batch, so that shards of a batch drop what the whole would.
    rate
        Share of units dropped, at least 0 and below 1.
    """
    scale = x.dtype.type(1 / (1 - rate))
    least = np.uint64(round(rate * 2**32))
    rows = x.reshape(len(x), -1), y.reshape(len(y), -1)
    _dropout(*rows, key, first_sample, least, scale, computing_threads())


def dropout_backward(dy: Floats, dx: Floats, key: np.uint64, first_sample: int, rate: float) -> None:
    """Fill dx with dy / (1 - rate) where the unit stayed, else 0: the same mask as `dropout`'s."""
    dropout(dy, dx, key, first_sample, rate)


@compiled
def _mix(z: np.uint64) -> np.uint64:
    z = (z ^ (z >> _30)) * _FIRST
    z = (z ^ (z >> _27)) * _SECOND
    return z ^ (z >> _31)


@compiled(parallel=True)
def _dropout(
    x: Floats, y: Floats, key: np.uint64, first: int, least: np.uint64, scale: np.floating[Any], workers: int
) -> None:
    taken = tickets()
    for _worker in prange(workers):
        n = next_piece(taken)
        while n < x.shape[0]:
            stream = _mix(key + np.uint64(first + n + 1) * _GOLDEN)
            for i in range(x.shape[1]):
                stays = _mix(stream + np.uint64(i + 1) * _GOLDEN) >> _32 >= least
                y[n, i] = x[n, i] * scale if stays else 0
            n = next_piece(taken)
