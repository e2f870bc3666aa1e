"""The split: which patches are for training, validation and test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from mpmm.errors import PatchError
from mpmm.patches.overlap import overlap_share
from mpmm.patches.samples import Samples
from mpmm.patches.shares import PARTS, apportion, check_fold, check_shares

# how patches are dealt out to the parts: each for itself, by blocks of the scene, by folds of blocks, or as
# the user gives them
SplitKind = Literal["random", "block", "folds", "given"]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SplitOptions:
    """How many patches are drawn, of which size, and how they are divided into parts.

    Attributes
    ----------
    size
        Odd edge of a patch, in pixels.
    per_class
        Patches per class; a class with fewer gives what it has. None: all usable pixels.
    fraction
        If given, this share of each class's usable pixels instead of `per_class`.
    shares
        Of training, validation and test; they add up to 1.
    kind
        "random" draws each patch for itself, so that patches of different parts overlap (the paper's
        protocol). "block" deals out square blocks of the scene and takes only patches that lie within blocks
        of one part, so that no pixel is in patches of two parts. "folds" deals them out to folds, one of
        which is for test, see :func:`mpmm.patches.draw_fold`. "given" takes the parts from the user, see
        :func:`mpmm.patches.draw_given`.
    seed
        From which the draw follows; at least 0.
    folds, fold
        Of a spatial k-fold: how many folds, at least 3, and which of them is for test, counted from 1.

    Raises
    ------
    PatchError
        A number is out of range, or the kind is unknown.
    """

    size: int
    per_class: int | None = 400
    fraction: float | None = None
    shares: tuple[float, float, float] = (0.7, 0.15, 0.15)
    kind: SplitKind = "random"
    seed: int = 0
    folds: int = 5
    fold: int = 1

    def __post_init__(self) -> None:
        check_shares(self.shares)
        if self.fraction is None and self.per_class is not None and self.per_class < 1:
            raise PatchError(f"{self.per_class} patches per class", "ask for at least 1")
        if self.fraction is not None and not 0 < self.fraction <= 1:
            raise PatchError(f"a fraction of {self.fraction:g} of each class", "give one above 0 and up to 1")
        if self.kind not in get_args(SplitKind):
            kinds = " or ".join(f'"{kind}"' for kind in get_args(SplitKind))
            raise PatchError(f"split {self.kind!r} is unknown", f"use {kinds}")
        if self.seed < 0:
            raise PatchError(f"seed {self.seed} is negative", "use 0 or above")
        check_fold(self.folds, self.fold)

    def requested(self, usable: int) -> int:
        """Patches that are asked of a class with so many usable pixels."""
        if self.fraction is not None:
            return max(1, round(self.fraction * usable))
        return usable if self.per_class is None else self.per_class

    def apportioned(self, usable: Counts, shares: tuple[float, ...]) -> tuple[list[int], Counts]:
        """Patches asked of each class, and how many of those that there are go to each of some shares.

        Parameters
        ----------
        usable
            Usable pixels of each class, shape (classes,).
        shares
            Of each class's patches; they add up to 1.

        Returns
        -------
        tuple
            By class position; and by [class position, share].
        """
        requested = [self.requested(int(count)) for count in usable]
        available = np.minimum(requested, usable)
        return requested, np.array([apportion(int(count), shares) for count in available])


@dataclass(frozen=True, eq=False)
class Split:
    """Patches drawn from a scene and divided into three parts.

    Attributes
    ----------
    train, validation, test
        The patches of each part, class by class, within a class in the order drawn.
    kind
        How the patches were divided: "random", "block", "folds" or "given".
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
        Edge of the blocks of a block split or of folds, in pixels; None for another.
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

    def untrained(self) -> tuple[int, ...]:
        """Ids of the classes whose patches are all held back from training: scored, never trained on."""
        counts = self.counts()
        lacking = (counts[:, 0] == 0) & (counts[:, 1:].sum(axis=1) > 0)
        return tuple(self.class_ids[position] for position in np.flatnonzero(lacking))

    def leak(self, part: str = "validation") -> float:
        """Share of a part's patches that share at least one pixel with a training patch, 0 to 1."""
        return overlap_share(self.parts[part], self.train, self.size)

    def leaks(self) -> dict[str, float]:
        """The leak of each part that is held back from training and has patches, by its name."""
        return {part: self.leak(part) for part in PARTS[1:] if len(self.parts[part])}


def made_split(
    parts: Sequence[Samples],
    options: SplitOptions,
    class_ids: tuple[int, ...],
    requested: Sequence[int],
    quotas: Counts,
    edge: int | None = None,
) -> Split:
    """The split of these parts, with what came short.

    Parameters
    ----------
    parts
        Training, validation and test patches.
    options
        How they were to be drawn.
    class_ids
        Label ids by class position.
    requested
        Patches asked for of each class.
    quotas
        Patches that each class should have in each part, shape (classes, 3).
    edge
        Edge of the blocks of a block split, in pixels.
    """
    counts = np.stack([part.counts(len(class_ids)) for part in parts], axis=1)
    train, validation, test = parts
    return Split(
        train=train,
        validation=validation,
        test=test,
        kind=options.kind,
        size=options.size,
        class_ids=class_ids,
        requested=dict(zip(class_ids, requested, strict=True)),
        short=_short(counts, class_ids, requested),
        absent=_absent(counts, class_ids, quotas),
        block_edge=edge,
    )


def _short(counts: Counts, class_ids: Sequence[int], requested: Sequence[int]) -> dict[int, int]:
    """Patches drawn of the classes that gave fewer than asked for, by class id."""
    drawn = zip(class_ids, counts.sum(axis=1), requested, strict=True)
    return {id: int(count) for id, count, request in drawn if count < request}


def _absent(counts: Counts, class_ids: Sequence[int], quotas: Counts) -> tuple[tuple[str, int], ...]:
    """Parts with a share that hold no patch of a class: (part, class id)."""
    missing = np.argwhere((counts == 0) & (quotas.sum(axis=0) > 0))
    return tuple((PARTS[part], class_ids[position]) for position, part in missing)
