"""What is scored of a run: which patches, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mpmm.errors import RunError
from mpmm.patches import (
    PARTS,
    Samples,
    class_positions,
    extra_patches,
    usable_candidates,
    usable_centres,
)
from mpmm.placement import LayoutName
from mpmm.preparation import (
    Prepared,
    RankPreparation,
    Readers,
    masks,
    packed_parts,
    split_options,
    unpacked_parts,
)
from mpmm.results import CheckpointName
from mpmm.runs.process_group import ProcessGroup

Form = Literal["model", "data"]
# in place of a part: every labelled pixel, whatever the split says of it
EVERYTHING = "all"


@dataclass(frozen=True)
class EvaluationOptions:
    """What to score, and how.

    Attributes
    ----------
    part, checkpoint
        Which patches of the run's split, or "all" labelled ones; the best or the last parameters.
    patches
        So many patches drawn for this instead; None: the part's.
    form
        "model": each rank computes its blocks, micro-batches flow from rank to rank. "data": each computes
        the whole network for its share of every micro-batch. One process computes all of it either way.
    trace
        Whether a timeline is kept.
    force_bands
        Whether a scene's bands are taken as they come, whatever its files say of them.
    threads
        Of this machine's ranks together; None: as the run's settings say.
    layout
        Which ranks compute what, in place of the form; None: as the form says.
    """

    part: str = "validation"
    checkpoint: CheckpointName = "best"
    patches: int | None = None
    form: Form = "model"
    trace: bool = False
    force_bands: bool = False
    threads: int | None = None
    layout: LayoutName | None = None


def with_patches(
    group: ProcessGroup, preparation: RankPreparation, options: EvaluationOptions, elsewhere: bool = False
) -> RankPreparation:
    """With the patches to be scored as the validation part, which is the one that ranks score.

    Parameters
    ----------
    group
        All ranks.
    preparation
        What this rank reads.
    options
        Which patches.
    elsewhere
        Whether the scene is on another grid than the training's, so that the split's centres mean nothing.

    Raises
    ------
    RunError
        The part is unknown or has no patches.
    """
    prepared = preparation.prepared
    if options.part not in (*PARTS, EVERYTHING):
        raise RunError(
            f"no part {options.part!r} in a split", f"take one of {', '.join((*PARTS, EVERYTHING))}"
        )
    if options.patches is None and options.part != EVERYTHING:
        chosen = prepared.parts[options.part]
        if not len(chosen):
            filled = [part for part in PARTS if len(prepared.parts[part])]
            raise RunError(
                f"the run's {options.part} part has no patches", f"score another: {', '.join(filled)}"
            )
        return _scoring(preparation, {**prepared.parts, "validation": chosen})
    readers = Readers(group.collectives, preparation.shape, preparation.layout, drives=False)
    present = masks(readers, prepared.scene)
    arrays: dict[str, NDArray[Any]] = {}
    if group.rank == readers.label_rank:
        drawn = _drawn(prepared, usable_centres(present, prepared.config.patches.size), options.patches)
        # nothing is trained: elsewhere, the training patches are just some that can be read
        others = dict.fromkeys(PARTS, drawn) if elsewhere else prepared.parts
        arrays = packed_parts({**others, "validation": drawn})
    _, arrays = group.collectives.broadcast(None, readers.label_rank, arrays)
    return _scoring(preparation, unpacked_parts(arrays))


def _drawn(prepared: Prepared, usable: NDArray[np.bool_], count: int | None) -> Samples:
    """So many patches that were not trained on; without a number every one with a label."""
    scene = prepared.scene
    ids = [cover.id for cover in scene.classes]
    if count is not None:
        return extra_patches(
            scene.labels, usable, ids, prepared.parts["train"], count, split_options(prepared.config)
        )
    candidates = usable_candidates(scene.labels, usable, ids)
    if not len(candidates.flat):
        raise RunError(
            f"{prepared.config.scene.folder}: around none of its labelled pixels a whole patch has data",
            "see what is missing: mpmm check CONFIG",
        )
    return candidates.samples(np.arange(len(candidates.flat)))


def check_split(group: ProcessGroup, preparation: RankPreparation) -> None:
    """Refuse another scene, or other labels, where the patches of the run's own split are asked for.

    Raises
    ------
    RunError
        A label at a patch's centre is not that of the split.
    """
    readers = Readers(group.collectives, preparation.shape, preparation.layout, drives=False)
    prepared = preparation.prepared
    # the parts of a given split may have labels of their own
    if group.rank != readers.label_rank or prepared.config.patches.split == "given":
        return
    labels = class_positions(prepared.scene.labels, [cover.id for cover in prepared.scene.classes])
    split = Samples.joined([*prepared.parts.values()])
    height, width = labels.shape
    inside = (split.rows < height) & (split.columns < width)
    if not inside.all() or (labels[split.rows, split.columns] != split.labels).any():
        raise RunError(
            f"{prepared.config.scene.folder}: its labels are not those that the run's split was drawn from",
            f"score all of another scene's labelled pixels: --part {EVERYTHING}",
        )


def untrained_classes(restored: Prepared, scored: Prepared) -> tuple[str, ...]:
    """Names of the classes that are scored, and of which the run's split has no training patch.

    Parameters
    ----------
    restored
        With the run's own parts.
    scored
        With the patches to be scored as the validation part.
    """
    parts = {**scored.parts, "train": restored.parts["train"]}
    return replace(scored, parts=parts).untrained("validation")


def _scoring(preparation: RankPreparation, parts: Mapping[str, Samples]) -> RankPreparation:
    return replace(preparation, prepared=replace(preparation.prepared, parts=parts))
