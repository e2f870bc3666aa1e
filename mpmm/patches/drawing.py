"""Draws a split: patches each for itself, or by blocks of the scene."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mpmm.errors import PatchError
from mpmm.patches.candidates import Candidates, find_candidates
from mpmm.patches.dealing import deal_blocks
from mpmm.patches.samples import Samples
from mpmm.patches.seeds import Purpose, permutation
from mpmm.patches.shares import PARTS, apportion
from mpmm.patches.split import Counts, Split, SplitOptions
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
