"""Chance for the synthetic scene: dice and noise that give the same integers on every machine.

Only the raw words of a bit generator are used (NumPy promises their stream; it does not promise that of the
distributions), and only integer arithmetic afterwards: no rounding can fall differently elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import isqrt
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")
Ints = NDArray[np.int32]
Positions = NDArray[np.signedinteger[Any]]


def raw_words(key: Sequence[int], count: int) -> NDArray[np.uint64]:
    """`count` random 64-bit words that depend on `key` (non-negative integers) alone."""
    words = np.random.PCG64(np.random.SeedSequence(list(key))).random_raw(count)
    return np.asarray(words, dtype=np.uint64)


def raw_bytes(key: Sequence[int], count: int) -> NDArray[np.uint8]:
    """`count` random bytes that depend on `key` alone, on machines of either byte order."""
    words = raw_words(key, -(-count // 8)).astype("<u8")
    return words.view(np.uint8)[:count]


class Dice:
    """Integer decisions in a fixed order, from one key.

    Parameters
    ----------
    key
        Non-negative integers, for example (seed, what it is for, row, column).
    """

    def __init__(self, *key: int) -> None:
        self._generator = np.random.PCG64(np.random.SeedSequence(list(key)))

    def below(self, bound: int) -> int:
        """An integer in [0, bound)."""
        return int(self._generator.random_raw()) % bound

    def between(self, low: int, high: int) -> int:
        """An integer in [low, high]."""
        return low + self.below(high - low + 1)

    def chance(self, percent: int) -> bool:
        """True in `percent` of a hundred throws."""
        return self.below(100) < percent

    def pick(self, items: Sequence[Item]) -> Item:
        """One of `items`, each as likely as the others."""
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """All of `items` in random order."""
        deck = list(items)
        for last in range(len(deck) - 1, 0, -1):
            other = self.below(last + 1)
            deck[last], deck[other] = deck[other], deck[last]
        return deck


class NoiseTable:
    """Periodic two-dimensional noise in [-127, 127], mean about 0 and standard deviation about 42.

    Tables with periods that share no factor, used together, repeat only after the product of both.

    Parameters
    ----------
    key
        Non-negative integers from which all values follow.
    period
        Side of the table in pixels.
    blur
        Side of the box, in pixels, that is averaged twice: the size of the blobs. 1: white noise.
    """

    def __init__(self, key: Sequence[int], period: int, blur: int) -> None:
        self.values = _noise(tuple(key), period, blur)
        self._period = period

    def at(self, rows: Positions, columns: Positions) -> NDArray[np.int8]:
        """Noise on the grid of `rows` and `columns` (any non-negative integers): (rows, columns)."""
        noise: NDArray[np.int8] = self.values[np.ix_(rows % self._period, columns % self._period)]
        return noise


# the five tables of one scene: several scenes of a seed, as in tests, make them once
@lru_cache(maxsize=5)
def _noise(key: tuple[int, ...], period: int, blur: int) -> NDArray[np.int8]:
    white = raw_bytes(key, period * period).reshape(period, period).astype(np.int32) - 128
    return _standardised(_blurred(_blurred(white, blur), blur) if blur > 1 else white)


def _blurred(values: Ints, side: int) -> Ints:
    """Sums over periodic boxes of `side` x `side` pixels.

    Running sums may wrap around 32 bits; their differences are exact all the same.
    """
    for _ in range(2):
        # sums along lines in memory, the other axis each time
        lines = np.ascontiguousarray(values.T)
        sums = np.zeros((len(lines), len(values) + side), dtype=np.int32)
        np.cumsum(
            np.concatenate([lines, lines[:, : side - 1]], axis=1), axis=1, dtype=np.int32, out=sums[:, 1:]
        )
        values = sums[:, side:] - sums[:, : len(values)]
    return values


def _standardised(values: Ints) -> NDArray[np.int8]:
    """Integers shifted and scaled to mean 0 and standard deviation 42, clipped to an int8."""
    centred = values - np.int32(int(values.sum(dtype=np.int64)) // values.size)
    # in steps coarse enough that nothing passes 32 bits
    step = max(1, int(np.abs(centred).max()) >> 15)
    centred //= np.int32(step)
    variance = int(np.multiply(centred, centred, dtype=np.int64).sum()) // centred.size
    centred *= np.int32(42)
    centred //= np.int32(max(1, isqrt(variance)))
    return np.asarray(np.clip(centred, -127, 127), dtype=np.int8)


class SlowLine:
    """A smooth random function of one integer coordinate, with values in [-amplitude, amplitude].

    Parameters
    ----------
    key
        Decides the values at the knots.
    length
        The function is defined on [0, length).
    pitch
        Distance between two knots, in units of the coordinates.
    amplitude
        Largest absolute value of the function.
    """

    def __init__(self, key: Sequence[int], length: int, pitch: int, amplitude: int) -> None:
        knots = raw_bytes(key, length // pitch + 2).astype(np.int64) - 128
        position = np.arange(length, dtype=np.int64)
        left, step = position // pitch, position % pitch
        # smoothstep 3t^2 - 2t^3 in units of 1/pitch^3
        weight = step * step * (3 * pitch - 2 * step)
        blend = knots[left] * (pitch**3 - weight) + knots[left + 1] * weight
        self.values = (blend * amplitude // (128 * pitch**3)).astype(np.int32)


class SlowField:
    """A smooth random function of two integer coordinates, in [-amplitude, amplitude], bilinear in between.

    Parameters
    ----------
    key
        Decides the values at the knots.
    pitch
        Distance between two knots, in units of the coordinates.
    amplitude
        Largest absolute value of the function.
    """

    _KNOTS = 67

    def __init__(self, key: Sequence[int], pitch: int, amplitude: int) -> None:
        count = self._KNOTS
        self._knots = raw_bytes(key, count * count).reshape(count, count).astype(np.int64) - 128
        self._pitch, self._amplitude = pitch, amplitude

    def at(self, rows: Positions, columns: Positions) -> Ints:
        """The function on the grid of `rows` and `columns` (non-negative): (rows, columns)."""
        pitch = self._pitch
        above, down = rows.astype(np.int64) // pitch % self._KNOTS, rows % pitch
        left, right = columns.astype(np.int64) // pitch % self._KNOTS, columns % pitch
        below, beside = (above + 1) % self._KNOTS, (left + 1) % self._KNOTS
        top = self._knots[np.ix_(above, left)] * (pitch - right) + self._knots[np.ix_(above, beside)] * right
        bottom = (
            self._knots[np.ix_(below, left)] * (pitch - right) + self._knots[np.ix_(below, beside)] * right
        )
        blend = top * (pitch - down)[:, None] + bottom * down[:, None]
        return (blend * self._amplitude // (128 * pitch * pitch)).astype(np.int32)
