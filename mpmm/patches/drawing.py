"""Draws a split: patches each for itself, or by blocks of the scene."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mpmm.errors import PatchError
from mpmm.patches.candidates import Candidates, find_candidates
from mpmm.patches.samples import Samples
from mpmm.patches.seeds import Purpose, permutation
from mpmm.patches.shares import PARTS
from mpmm.patches.split import Counts, Split, SplitOptions, made_split
from mpmm.patches.windows import check_size


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
        A class has no usable pixel, a part with a share gets no patch, the scene cannot hold a patch, or the
        split is a given one.
    """
    check_size(options.size, *labels.shape)
    if options.kind == "given":
        raise PatchError("a given split is not drawn from one label map", "give the labels of its parts")
    if options.kind == "folds":
        # dealing out blocks is loaded where a split has any
        from mpmm.patches.folds import draw_fold

        return draw_fold(labels, usable, class_ids, options, class_names)
    candidates = find_candidates(labels, usable, class_ids, class_names)
    requested, quotas = options.apportioned(candidates.counts(), options.shares)
    if options.kind == "random":
        parts, edge = draw_random(candidates, quotas, options.seed), None
    else:
        parts, edge = _draw_blocks(candidates, quotas, options)
    for name, share, part in zip(PARTS, options.shares, parts, strict=True):
        if share > 0 and len(part) == 0:
            raise _empty_part(name, options, labels.shape)
    return made_split(parts, options, candidates.class_ids, requested, quotas, edge)


def draw_random(candidates: Candidates, quotas: Counts, seed: int) -> list[Samples]:
    """Draw each patch for itself: of every class its quota for each part, class by class."""
    parts: list[list[Samples]] = [[], [], []]
    for position in range(len(candidates.class_ids)):
        pool = candidates.of_class(position)
        drawn = pool[permutation(len(pool), seed, Purpose.CENTRES, position)]
        ends = np.cumsum(quotas[position])
        for part, indices in zip(parts, np.split(drawn[: ends[-1]], ends[:-1]), strict=True):
            part.append(candidates.samples(indices))
    return [Samples.joined(part) for part in parts]


def _draw_blocks(candidates: Candidates, quotas: Counts, options: SplitOptions) -> tuple[list[Samples], int]:
    from mpmm.patches.dealing import deal_blocks

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


def _empty_part(name: str, options: SplitOptions, shape: tuple[int, ...]) -> PatchError:
    size, (rows, columns) = options.size, shape
    return PatchError(
        f"no {name} patch of {size} x {size} pixels is left in the {options.kind} split of "
        f"{rows} x {columns} pixels",
        "use smaller patches, more of them, or the other kind of split",
    )
