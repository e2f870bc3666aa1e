"""Spatial k-fold: blocks of the scene are dealt to folds, each of which is the test part once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mpmm.errors import PatchError
from mpmm.patches.candidates import Candidates, find_candidates
from mpmm.patches.dealing import ABSENT, Dealing, deal_blocks
from mpmm.patches.samples import Samples
from mpmm.patches.seeds import Purpose, permutation
from mpmm.patches.shares import PARTS
from mpmm.patches.split import Counts, Split, SplitOptions, made_split
from mpmm.patches.windows import check_size

TRAIN, VALIDATION, TEST = range(len(PARTS))


def draw_fold(
    labels: npt.NDArray[Any],
    usable: npt.NDArray[np.bool_],
    class_ids: Sequence[int],
    options: SplitOptions,
    class_names: Sequence[str] = (),
) -> Split:
    """Draw one fold of a spatial k-fold: it is the test part, the next fold validation, all others training.

    Blocks are dealt to folds as a block split deals them to parts, the same whichever fold is drawn, so that
    each block is tested once over all folds. Training patches may lie across training folds; no pixel is in
    patches of two parts. The same arguments give the same split on every machine.

    Parameters
    ----------
    labels
        Label ids, shape (rows, columns), a 16-bit integer type or a smaller one.
    usable
        Where a patch can lie, shape (rows, columns); see :func:`mpmm.patches.usable_centres`.
    class_ids
        Label ids of the classes; a class's position here is what the network predicts.
    options
        How many patches, of which size, how many folds and which of them; the shares count for nothing.
    class_names
        Names of the classes in the order of `class_ids`, for errors.

    Raises
    ------
    PatchError
        A class has no usable pixel, a part gets no patch, or the scene cannot hold a patch.
    """
    check_size(options.size, *labels.shape)
    candidates = find_candidates(labels, usable, class_ids, class_names)
    equal = (1 / options.folds,) * options.folds
    requested, of_folds = options.apportioned(candidates.counts(), equal)
    # folds are alike: what one lacks is learnt from the others
    absent = np.full(options.folds, ABSENT[TEST])
    dealing = deal_blocks(candidates, of_folds, options.size, equal, options.seed, absent)
    parts, quotas = _drawn(candidates, dealing, of_folds, options)
    for name, part in zip(PARTS, parts, strict=True):
        if not len(part):
            raise PatchError(
                f"no {name} patch of {options.size} x {options.size} pixels is left where fold "
                f"{options.fold} of {options.folds} is tested",
                "use smaller patches, more of them, or fewer folds",
            )
    return made_split(parts, options, candidates.class_ids, requested, quotas, dealing.grid.edge)


def _drawn(
    candidates: Candidates, dealing: Dealing, of_folds: Counts, options: SplitOptions
) -> tuple[list[Samples], Counts]:
    """Patches of each part, and how many each class should have in it, shape (classes, 3)."""
    part_of_fold = np.full(options.folds, TRAIN, np.int8)
    test = options.fold - 1
    part_of_fold[test], part_of_fold[(test + 1) % options.folds] = TEST, VALIDATION
    part_of = Dealing(dealing.grid, part_of_fold[dealing.dealt], dealing.penalty).part(candidates)
    quotas = np.stack([of_folds[:, part_of_fold == part].sum(axis=1) for part in range(len(PARTS))], axis=1)
    # a fold's patches are the same where it is validation and where it is test
    places = [options.folds + test, (test + 1) % options.folds, test]
    parts: list[list[Samples]] = [[], [], []]
    for position in range(len(candidates.class_ids)):
        pool = candidates.of_class(position)
        for part, into in enumerate(parts):
            inside = pool[part_of[pool] == part]
            order = permutation(len(inside), options.seed, Purpose.CENTRES, position, places[part])
            into.append(candidates.samples(inside[order[: quotas[position, part]]]))
    return [Samples.joined(part) for part in parts], quotas
