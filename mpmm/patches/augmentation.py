"""Augmentation: one of the eight flips and quarter turns of a square, by (seed, epoch, sample)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mpmm.patches.seeds import Purpose, random_words

Words = npt.NDArray[np.uint64]


def orientations(indices: npt.NDArray[np.integer[Any]], epoch: int, seed: int) -> npt.NDArray[np.uint8]:
    """Draw how each sample is flipped and turned in an epoch, shape (samples,).

    Modalities that ask with the same arguments turn a sample alike. A code is 0..7: bits 0 and 1 are the
    quarter turns counter-clockwise, bit 2 a flip left to right before them.
    """
    (key,) = random_words(1, seed, Purpose.AUGMENTATION, epoch)
    mixed = _mix(indices.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + key)
    return (mixed >> np.uint64(61)).astype(np.uint8)


def _mix(words: Words) -> Words:
    """Scramble 64-bit words so that neighbours have nothing in common.

    The finaliser of SplitMix64 (Steele, Lea, Flood, Fast splittable pseudorandom number generators, 2014).
    """
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
