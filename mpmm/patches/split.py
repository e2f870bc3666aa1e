"""The split: which patches are for training, validation and test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from mpmm.errors import PatchError
from mpmm.patches.candidates import Candidates, find_candidates
from mpmm.patches.dealing import deal_blocks
from mpmm.patches.overlap import overlap_share
from mpmm.patches.samples import Samples
from mpmm.patches.seeds import Purpose, permutation
from mpmm.patches.shares import PARTS, apportion, check_shares
from mpmm.patches.windows import check_size

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


def draw_split(
    labels: npt.NDArray[Any],
    usable: npt.NDArray[np.bool_],
    class_ids: Sequence[int],
    options: SplitOptions,
    class_names: Sequence[str] = (),
) -> Split:
    """Draw patch centres of every class and divide them into training, validation and test.

    The same arguments give the same split on every machine.

    Parameters
    ----------
    labels
        Label ids, shape (rows, columns), a 16-bit integer type or a smaller one.
    usable
        Where a patch can lie, shape (rows, columns); see :func:`mpmm.patches.usable_centres`.
    class_ids
        Label ids of the classes; a class's position here is what the network predicts.
    options
        How many patches, of which size, and how they are divided.
    class_names
        Names of the classes in the order of `class_ids`, for errors.

    Raises
    ------
    PatchError
        A class has no usable pixel, a part with a share gets no patch, or the scene cannot hold a patch.
    """
    check_size(options.size, *labels.shape)
    candidates = find_candidates(labels, usable, class_ids, class_names)
    requested = [options.requested(int(count)) for count in candidates.counts()]
    available = np.minimum(requested, candidates.counts())
    quotas = np.array([apportion(int(count), options.shares) for count in available])
    if options.kind == "random":
        parts, edge = _draw_random(candidates, quotas, options.seed), None
    else:
        parts, edge = _draw_blocks(candidates, quotas, options)
    for name, share, part in zip(PARTS, options.shares, parts, strict=True):
        if share > 0 and len(part) == 0:
            raise _empty_part(name, options, labels.shape)
    counts = np.stack([part.counts(len(candidates.class_ids)) for part in parts], axis=1)
    train, validation, test = parts
    return Split(
        train=train,
        validation=validation,
        test=test,
        kind=options.kind,
        size=options.size,
        class_ids=candidates.class_ids,
        requested=dict(zip(candidates.class_ids, requested, strict=True)),
        short=_short(counts, candidates.class_ids, requested),
        absent=_absent(counts, candidates.class_ids, quotas),
        block_edge=edge,
    )


def _draw_random(candidates: Candidates, quotas: Counts, seed: int) -> list[Samples]:
    parts: list[list[Samples]] = [[], [], []]
    for position in range(len(candidates.class_ids)):
        pool = candidates.of_class(position)
        drawn = pool[permutation(len(pool), seed, Purpose.CENTRES, position)]
        ends = np.cumsum(quotas[position])
        for part, indices in zip(parts, np.split(drawn[: ends[-1]], ends[:-1]), strict=True):
            part.append(candidates.samples(indices))
    return [Samples.joined(part) for part in parts]


def _draw_blocks(candidates: Candidates, quotas: Counts, options: SplitOptions) -> tuple[list[Samples], int]:
    dealing = deal_blocks(candidates, quotas, options.size, options.shares, options.seed)
    part_of = dealing.part(candidates)
    parts: list[list[Samples]] = [[], [], []]
    for position in range(len(candidates.class_ids)):
        pool = candidates.of_class(position)
        for part, into in enumerate(parts):
            inside = pool[part_of[pool] == part]
            order = permutation(len(inside), options.seed, Purpose.CENTRES, position, part)
            into.append(candidates.samples(inside[order[: quotas[position, part]]]))
    return [Samples.joined(part) for part in parts], dealing.grid.edge


def _short(counts: Counts, class_ids: Sequence[int], requested: Sequence[int]) -> dict[int, int]:
    """Patches drawn of the classes that gave fewer than asked for, by class id."""
    drawn = zip(class_ids, counts.sum(axis=1), requested, strict=True)
    return {id: int(count) for id, count, request in drawn if count < request}


def _absent(counts: Counts, class_ids: Sequence[int], quotas: Counts) -> tuple[tuple[str, int], ...]:
    """Parts with a share that hold no patch of a class: (part, class id)."""
    missing = np.argwhere((counts == 0) & (quotas.sum(axis=0) > 0))
    return tuple((PARTS[part], class_ids[position]) for position, part in missing)


def _empty_part(name: str, options: SplitOptions, shape: tuple[int, ...]) -> PatchError:
    size, (rows, columns) = options.size, shape
    return PatchError(
        f"no {name} patch of {size} x {size} pixels is left in the {options.kind} split of "
        f"{rows} x {columns} pixels",
        "use smaller patches, more of them, or the other kind of split",
    )
