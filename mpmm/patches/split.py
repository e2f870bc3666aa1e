"""The split: which patches are for training, validation and test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

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

SplitKind = Literal["random", "block"]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """Patches drawn from a scene and divided into three parts.

    Attributes
    ----------
    train, validation, test
        The patches of each part, class by class, within a class in the order drawn.
    kind
        "random" or "block".
    size
        Odd edge of a patch, in pixels.
    class_ids
        Label ids by class position.
    asked
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
    asked: dict[int, int]
    short: dict[int, int]
    absent: tuple[tuple[str, int], ...]
    block_edge: int | None

    @property
    def parts(self) -> dict[str, Samples]:
        """The three parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

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
    *,
    class_names: Sequence[str] = (),
    size: int,
    per_class: int = 400,
    fraction: float | None = None,
    shares: tuple[float, float, float] = (0.7, 0.15, 0.15),
    kind: SplitKind = "random",
    seed: int = 0,
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
    class_names
        Their names, for errors.
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

    Raises
    ------
    PatchError
        A class has no usable pixel, a part with a share gets no patch, or an argument is out of range.
    """
    check_size(size, *labels.shape)
    check_shares(shares)
    _check_amount(per_class, fraction, kind, seed)
    candidates = find_candidates(labels, usable, class_ids, class_names)
    asked = [_asked(int(count), per_class, fraction) for count in candidates.counts()]
    there = np.minimum(asked, candidates.counts())
    wanted = np.array([apportion(int(count), shares) for count in there])
    if kind == "random":
        parts, edge = _draw_random(candidates, wanted, seed), None
    else:
        parts, edge = _draw_blocks(candidates, wanted, size, shares, seed)
    for name, share, part in zip(PARTS, shares, parts, strict=True):
        if share > 0 and len(part) == 0:
            raise _empty_part(name, kind, size, labels.shape)
    return _split(parts, kind, size, candidates.class_ids, asked, wanted, edge)


def _draw_random(candidates: Candidates, wanted: Indices, seed: int) -> list[Samples]:
    parts: list[list[Samples]] = [[], [], []]
    for position in range(len(candidates.class_ids)):
        pool = candidates.of_class(position)
        drawn = pool[permutation(len(pool), seed, Purpose.CENTRES, position)]
        ends = np.cumsum(wanted[position])
        for part, indices in zip(parts, np.split(drawn[: ends[-1]], ends[:-1]), strict=True):
            part.append(candidates.samples(indices))
    return [Samples.joined(part) for part in parts]


def _draw_blocks(
    candidates: Candidates, wanted: Indices, size: int, shares: tuple[float, ...], seed: int
) -> tuple[list[Samples], int]:
    dealing = deal_blocks(candidates, wanted, size, shares, seed)
    part_of = dealing.part(candidates)
    parts: list[list[Samples]] = [[], [], []]
    for position in range(len(candidates.class_ids)):
        pool = candidates.of_class(position)
        for part, into in enumerate(parts):
            inside = pool[part_of[pool] == part]
            order = permutation(len(inside), seed, Purpose.CENTRES, position, part)
            into.append(candidates.samples(inside[order[: wanted[position, part]]]))
    return [Samples.joined(part) for part in parts], dealing.grid.edge


def _split(
    parts: Sequence[Samples],
    kind: SplitKind,
    size: int,
    class_ids: tuple[int, ...],
    asked: Sequence[int],
    wanted: Indices,
    edge: int | None,
) -> Split:
    counts = np.stack([part.counts(len(class_ids)) for part in parts], axis=1)
    drawn = counts.sum(axis=1)
    missing = np.argwhere((counts == 0) & (wanted.sum(axis=0) > 0))
    train, validation, test = parts
    return Split(
        train=train,
        validation=validation,
        test=test,
        kind=kind,
        size=size,
        class_ids=class_ids,
        asked=dict(zip(class_ids, asked, strict=True)),
        short={id: int(n) for id, n, ask in zip(class_ids, drawn, asked, strict=True) if n < ask},
        absent=tuple((PARTS[part], class_ids[position]) for position, part in missing),
        block_edge=edge,
    )


def _asked(count: int, per_class: int, fraction: float | None) -> int:
    return per_class if fraction is None else max(1, round(fraction * count))


def _check_amount(per_class: int, fraction: float | None, kind: str, seed: int) -> None:
    if fraction is None and per_class < 1:
        raise PatchError(f"{per_class} patches per class", "ask for at least 1")
    if fraction is not None and not 0 < fraction <= 1:
        raise PatchError(f"a fraction of {fraction:g} of each class", "give one above 0 and up to 1")
    if kind not in ("random", "block"):
        raise PatchError(f"split {kind!r} is unknown", 'use "random" or "block"')
    if seed < 0:
        raise PatchError(f"seed {seed} is negative", "use 0 or above")


def _empty_part(name: str, kind: str, size: int, shape: tuple[int, ...]) -> PatchError:
    rows, columns = shape
    return PatchError(
        f"no {name} patch of {size} x {size} pixels is left in the {kind} split of {rows} x {columns} pixels",
        "use smaller patches, more of them, or the other kind of split",
    )
