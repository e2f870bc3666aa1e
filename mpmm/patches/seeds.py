"""Random numbers that follow from a seed, a purpose and a position, on every machine and rank alike."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import numpy.typing as npt


class Purpose(IntEnum):
    """What random numbers are for; each purpose has streams of its own."""

    CENTRES = 1
    BLOCKS = 2
    BATCHES = 3
    AUGMENTATION = 4
    OVERSAMPLING = 5


def random_words(count: int, seed: int, purpose: Purpose, *position: int) -> npt.NDArray[np.uint64]:
    """Draw `count` words of 64 random bits for (seed, purpose, position).

    Only the raw stream of Philox is used, seeded by SeedSequence: NumPy keeps both as they are for good,
    while the methods of its Generator may change what they draw from one release to the next.
    """
    key = np.random.SeedSequence(seed, spawn_key=(int(purpose), *position))
    words: npt.NDArray[np.uint64] = np.random.Philox(key).random_raw(count)
    return words


def permutation(count: int, seed: int, purpose: Purpose, *position: int) -> npt.NDArray[np.int64]:
    """Draw an order of 0 .. count - 1, each equally likely (but for collisions of 64-bit keys)."""
    return np.argsort(random_words(count, seed, purpose, *position), kind="stable").astype(np.int64)
