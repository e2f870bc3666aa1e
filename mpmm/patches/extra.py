"""Patches beyond a run's split, to measure inference on as many as are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpmm.errors import PatchError
from mpmm.patches.samples import Samples
from mpmm.patches.usable import class_positions


def extra_patches(
    labels: NDArray[Any],
    usable: NDArray[np.bool_],
    class_ids: Sequence[int],
    train: Samples,
    count: int,
    seed: int,
) -> Samples:
    """Draw patches at random among all labelled usable pixels but the training patches' centres.

    Parameters
    ----------
    labels, usable
        Label ids; where a patch can lie; (rows, columns) each.
    class_ids
        Ids of the classes by position.
    train
        The training patches, whose centres are not drawn.
    count, seed
        How many; the same seed draws the same.

    Raises
    ------
    PatchError
        There are not so many.
    """
    positions = class_positions(labels, class_ids)
    free = usable & (positions >= 0)
    free[train.rows, train.columns] = False
    pixels = np.flatnonzero(free)
    if len(pixels) < count:
        raise PatchError(
            f"{count} patches asked for, the scene has {len(pixels)} labelled ones that are not trained on",
            f"give --patches {len(pixels)} or fewer",
        )
    drawn = np.random.default_rng(seed).choice(pixels, count, replace=False)
    rows, columns = np.divmod(drawn, labels.shape[1])
    return Samples.of(rows, columns, positions[rows, columns])
