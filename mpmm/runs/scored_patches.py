"""What is scored of a run: which patches, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from numpy.typing import NDArray

from mpmm.errors import RunError
from mpmm.patches import PARTS, Samples, extra_patches, usable_centres
from mpmm.preparation import (
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


@dataclass(frozen=True)
class EvaluationOptions:
    """What to score, and how.

    Attributes
    ----------
    part, checkpoint
        Which patches of the run's split; the best or the last parameters.
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
    """

    part: str = "validation"
    checkpoint: CheckpointName = "best"
    patches: int | None = None
    form: Form = "model"
    trace: bool = False
    force_bands: bool = False
    threads: int | None = None


def with_patches(
    group: ProcessGroup, preparation: RankPreparation, options: EvaluationOptions
) -> RankPreparation:
    """With the patches to be scored as the validation part, which is the one that ranks score.

    Raises
    ------
    RunError
        The part is unknown or has no patches.
    """
    prepared = preparation.prepared
    if options.part not in PARTS:
        raise RunError(f"no part {options.part!r} in a split", f"take one of {', '.join(PARTS)}")
    if options.patches is None:
        chosen = prepared.parts[options.part]
        if not len(chosen):
            filled = [part for part in PARTS if len(prepared.parts[part])]
            raise RunError(
                f"the run's {options.part} part has no patches", f"score another: {', '.join(filled)}"
            )
        return _scoring(preparation, {**prepared.parts, "validation": chosen})
    readers = Readers(group.collectives, preparation.shape, preparation.layout, drives=False)
    config, scene = prepared.config.patches, prepared.scene
    present = masks(readers, scene)
    arrays: dict[str, NDArray[Any]] = {}
    if group.rank == readers.label_rank:
        drawn = extra_patches(
            scene.labels,
            usable_centres(present, config.size),
            [cover.id for cover in scene.classes],
            prepared.parts["train"],
            options.patches,
            split_options(prepared.config),
        )
        arrays = packed_parts({**prepared.parts, "validation": drawn})
    _, arrays = group.collectives.broadcast(None, readers.label_rank, arrays)
    return _scoring(preparation, unpacked_parts(arrays))


def _scoring(preparation: RankPreparation, parts: Mapping[str, Samples]) -> RankPreparation:
    return replace(preparation, prepared=replace(preparation.prepared, parts=parts))
