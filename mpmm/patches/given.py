"""The given split: parts as the user has them, from label maps of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from mpmm.errors import PatchError
from mpmm.patches.candidates import Candidates, no_usable_pixel, usable_candidates
from mpmm.patches.drawing import draw_random
from mpmm.patches.samples import Samples
from mpmm.patches.shares import PARTS
from mpmm.patches.split import Split, SplitOptions, made_split
from mpmm.patches.usable import class_positions
from mpmm.patches.windows import check_size

Ids = npt.NDArray[np.int16]


def draw_given(
    labels: Mapping[str, Ids],
    usable: npt.NDArray[np.bool_],
    class_ids: Sequence[int],
    options: SplitOptions,
    class_names: Sequence[str] = (),
) -> Split:
    """Take the parts that the user gives, and draw training and validation patches from the training part.

    Every usable pixel of a part becomes a patch; of the training part as many of each class as `options` ask
    for. Where no validation part is given, it is drawn from these, by the shares of training and validation.
    The same arguments give the same split on every machine.

    Parameters
    ----------
    labels
        By part ("train", and "validation" or "test" where they are given) label ids, shape (rows, columns);
        of no class where a pixel is not of the part.
    usable
        Where a patch can lie, shape (rows, columns); see :func:`mpmm.patches.usable_centres`.
    class_ids
        Label ids of the classes; a class's position here is what the network predicts.
    options
        How many patches, of which size, and the shares of training and validation.
    class_names
        Names of the classes in the order of `class_ids`, for errors.

    Raises
    ------
    PatchError
        A pixel is in two parts, a class has no usable pixel in any, or a part that is given gets no patch.
    """
    check_size(options.size, *usable.shape)
    check_apart(labels, class_ids)
    candidates = {part: usable_candidates(ids, usable, class_ids) for part, ids in labels.items()}
    _check_classes(candidates, labels, class_names)
    pool = candidates["train"]
    shares = _shares(options.shares, "validation" in labels)
    of_training, quotas = options.apportioned(pool.counts(), shares)
    # of a class that the training part lacks, nothing is asked there
    requested = np.where(pool.counts() > 0, of_training, 0)
    parts = dict(zip(PARTS, draw_random(pool, quotas, options.seed), strict=True))
    for part, whole in candidates.items():
        if whole is not pool:
            parts[part] = Samples.joined([whole.samples(whole.of_class(k)) for k in range(len(class_ids))])
            quotas[:, PARTS.index(part)] = whole.counts()
            requested += whole.counts()
    _check_filled(parts, labels, options.size)
    return made_split([*parts.values()], options, pool.class_ids, requested.tolist(), quotas)


def _shares(shares: tuple[float, float, float], validation_given: bool) -> tuple[float, float, float]:
    """Shares of the parts in what is drawn from the training part."""
    train, validation, _ = shares
    if validation_given:
        return 1.0, 0.0, 0.0
    return train / (train + validation), validation / (train + validation), 0.0


def check_apart(labels: Mapping[str, Ids], class_ids: Sequence[int]) -> None:
    """Refuse a pixel that is in two parts.

    Parameters
    ----------
    labels
        By part, label ids (rows, columns).
    class_ids
        Ids of the classes.

    Raises
    ------
    PatchError
        Naming the parts and the first such pixel.
    """
    taken: dict[str, npt.NDArray[np.bool_]] = {}
    for part, ids in labels.items():
        inside = class_positions(ids, class_ids) >= 0
        for other, theirs in taken.items():
            if len(both := np.argwhere(inside & theirs)):
                row, column = both[0]
                raise PatchError(
                    f"{len(both)} pixels are labelled for {other} and for {part}, the first at row {row}, "
                    f"column {column} (from 0)",
                    "take them out of one of the two: a pixel is trained on or scored, never both",
                )
        taken[part] = inside


def _check_classes(
    candidates: Mapping[str, Candidates], labels: Mapping[str, Ids], class_names: Sequence[str]
) -> None:
    """Refuse a class that no part has a usable pixel of."""
    counts = sum(each.counts() for each in candidates.values())
    for position in np.flatnonzero(counts == 0):
        class_ids = candidates["train"].class_ids
        labelled = sum(int((ids == class_ids[position]).sum()) for ids in labels.values())
        raise no_usable_pixel(int(position), class_ids, class_names, labelled)


def _check_filled(parts: Mapping[str, Samples], labels: Mapping[str, Ids], size: int) -> None:
    """Refuse a part that is given and has no patch."""
    for part in labels:
        if not len(parts[part]):
            raise PatchError(
                f"no {part} patch of {size} x {size} pixels is left in the given split",
                f"label pixels for {part} around which a whole patch has data, or use smaller patches",
            )
