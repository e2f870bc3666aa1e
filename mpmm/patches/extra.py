"""Patches beyond a run's split, to measure inference on as many as are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpmm.errors import PatchError
from mpmm.patches.candidates import Candidates, usable_candidates
from mpmm.patches.dealing import deal_blocks
from mpmm.patches.overlap import overlapping
from mpmm.patches.samples import Samples
from mpmm.patches.shares import PARTS, apportion
from mpmm.patches.split import SplitOptions


def extra_patches(
    labels: NDArray[Any],
    usable: NDArray[np.bool_],
    class_ids: Sequence[int],
    train: Samples,
    count: int,
    options: SplitOptions,
) -> Samples:
    """Draw patches at random among all labelled usable pixels but the training patches' centres.

    Of a split that keeps its parts apart they share no pixel with a training patch, and of a block split they
    lie in blocks that are not for training, as long as there are so many; only then are others drawn too.

    Parameters
    ----------
    labels, usable
        Label ids; where a patch can lie; (rows, columns) each.
    class_ids
        Ids of the classes by position.
    train
        The training patches, whose centres are not drawn.
    count
        How many.
    options
        How the run's patches were drawn; the same seed draws the same.

    Raises
    ------
    PatchError
        There are not so many.
    """
    candidates = usable_candidates(labels, usable, class_ids)
    free = ~np.isin(candidates.flat, train.rows.astype(np.int64) * labels.shape[1] + train.columns)
    if free.sum() < count:
        raise PatchError(
            f"{count} patches asked for, the scene has {free.sum()} labelled ones that are not trained on",
            f"give --patches {free.sum()} or fewer",
        )
    preferred = free & _apart(candidates, train, options)
    chance = np.random.default_rng(options.seed)
    drawn = chance.choice(np.flatnonzero(preferred), min(count, int(preferred.sum())), replace=False)
    if len(drawn) < count:
        others = chance.choice(np.flatnonzero(free & ~preferred), count - len(drawn), replace=False)
        drawn = np.concatenate([drawn, others])
    return candidates.samples(drawn)


def _apart(candidates: Candidates, train: Samples, options: SplitOptions) -> NDArray[np.bool_]:
    """Which candidates are apart from training as the split's kind has it, shape (candidates,)."""
    everywhere = np.arange(len(candidates.flat))
    if options.kind == "random":
        return np.ones(len(everywhere), np.bool_)
    apart = ~overlapping(candidates.samples(everywhere), train, options.size)
    if options.kind == "block":
        available = (min(options.requested(int(usable)), int(usable)) for usable in candidates.counts())
        quotas = np.array([apportion(number, options.shares) for number in available])
        dealing = deal_blocks(candidates, quotas, options.size, options.shares, options.seed)
        touched = dealing.grid.touched(dealing.grid.footprint(candidates))
        apart &= (dealing.dealt[touched] != PARTS.index("train")).all(axis=1)
    return apart
