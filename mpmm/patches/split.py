"""The split: which patches are for training, validation and test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from mpmm.errors import PatchError
from mpmm.patches.overlap import overlap_share
from mpmm.patches.samples import Samples
from mpmm.patches.shares import PARTS, check_shares

# how patches are dealt out to the parts: each for itself, or by blocks of the scene
SplitKind = Literal["random", "block"]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SplitOptions:
    """How many patches are drawn, of which size, and how they are divided into parts.

    Attributes
    ----------
    size
        Odd edge of a patch, in pixels.
    per_class
        Patches per class; a class with fewer gives what it has.
    fraction
        If given, this share of each class's usable pixels instead of `per_class`.
    shares
        Of training, validation and test; they add up to 1.
    kind
        "random" draws each patch for itself, so that patches of different parts overlap (the paper's
        protocol). "block" deals out square blocks of the scene and takes only patches that lie within blocks
        of one part, so that no pixel is in patches of two parts.
    seed
        From which the draw follows; at least 0.

    Raises
    ------
    PatchError
        A number is out of range, or the kind is unknown.
    """

    size: int
    per_class: int = 400
    fraction: float | None = None
    shares: tuple[float, float, float] = (0.7, 0.15, 0.15)
    kind: SplitKind = "random"
    seed: int = 0

    def __post_init__(self) -> None:
        check_shares(self.shares)
        if self.fraction is None and self.per_class < 1:
            raise PatchError(f"{self.per_class} patches per class", "ask for at least 1")
        if self.fraction is not None and not 0 < self.fraction <= 1:
            raise PatchError(f"a fraction of {self.fraction:g} of each class", "give one above 0 and up to 1")
        if self.kind not in get_args(SplitKind):
            kinds = " or ".join(f'"{kind}"' for kind in get_args(SplitKind))
            raise PatchError(f"split {self.kind!r} is unknown", f"use {kinds}")
        if self.seed < 0:
            raise PatchError(f"seed {self.seed} is negative", "use 0 or above")

    def requested(self, usable: int) -> int:
        """Patches that are asked of a class with so many usable pixels."""
        return self.per_class if self.fraction is None else max(1, round(self.fraction * usable))


@dataclass(frozen=True, eq=False)
class Split:
    """Patches drawn from a scene and divided into three parts.

    Attributes
    ----------
    train, validation, test
        The patches of each part, class by class, within a class in the order drawn.
    kind
        How the patches were divided, "random" or "block".
    size
        Odd edge of a patch, in pixels.
    class_ids
        Label ids by class position.
    requested
        Patches asked for, by class id.
    short
        Patches drawn, by class id, of the classes that gave fewer than asked for.
    absent
        Parts that hold no patch of a class though they have a share: (part, class id).
    block_edge
        Edge of the blocks of a block split, in pixels; None for a random split.
    """

    train: Samples
    validation: Samples
    test: Samples
    kind: SplitKind
    size: int
    class_ids: tuple[int, ...]
    requested: dict[int, int]
    short: dict[int, int]
    absent: tuple[tuple[str, int], ...]
    block_edge: int | None

    @property
    def parts(self) -> dict[str, Samples]:
        """The patches of the three parts, by the part's name."""
        return dict(zip(PARTS, (self.train, self.validation, self.test), strict=True))

    def counts(self) -> npt.NDArray[np.int64]:
        """Patches by [class position, part], shape (classes, 3)."""
        classes = len(self.class_ids)
        return np.stack([part.counts(classes) for part in self.parts.values()], axis=1)

    def leak(self) -> float:
        """Share of validation patches that share at least one pixel with a training patch, 0 to 1."""
        return overlap_share(self.validation, self.train, self.size)
