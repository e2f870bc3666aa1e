"""From a configuration to what each rank reads: only its own rasters; the rest is told once at the start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpmm.commands.config import Config, config_from_json
from mpmm.commands.prepare import Prepared, Tell, network_spec
from mpmm.commands.survey import Survey, check_needs, drawer, modalities_of, needs, survey
from mpmm.errors import RunError
from mpmm.patches import Normalization, Samples, Split, draw_split, measure_normalization, usable_centres
from mpmm.placement import Layout, NetworkShape, describe, layout_for
from mpmm.ranks.meeting import Meeting
from mpmm.results.folder import RunFolder
from mpmm.results.split import read_split
from mpmm.scene import AlignedModality, AlignedScene, Grid, Scene

PARTS = ("train", "validation", "test")
Change = Callable[[Config], Config]


@dataclass(frozen=True, eq=False)
class Gathered:
    """What a rank knows before the first step.

    Attributes
    ----------
    prepared
        What it reads: its own modalities only; samples of all parts.
    split
        On every rank of a new run; None of one that goes on.
    shape, layout
        The network, and who owns what of it.
    normalizations
        Of all modalities.
    """

    prepared: Prepared
    split: Split | None
    shape: NetworkShape
    layout: Layout
    normalizations: Mapping[str, Normalization]

    @property
    def whole(self) -> Prepared:
        """With all normalisations, as the run folder keeps them."""
        return replace(self.prepared, normalizations=self.normalizations)


def gather(meeting: Meeting, config: Config, tell: Tell | None = None) -> Gathered:
    """Prepare a new run together; rank 0's settings count, but each rank's own scene.

    Raises
    ------
    MpmmError
        As `mpmm.commands.prepare.prepare`; or a rank lacks files, or the layout cannot use so many ranks.
    """
    config = settings_of_first(meeting, config)
    found = survey(meeting, config.scene, config.network.modalities)
    shape, layout, spec = place(meeting, config, found)
    here = aligned(meeting, config, found, shape, layout, tell)
    split = _draw(meeting, config, found, shape, layout, here)
    normalizations = _measure(meeting, config, shape, layout, here, split.train)
    scene = AlignedScene(found.grid, found.classes, _labels_elsewhere(found), here)
    own = {name: one for name, one in normalizations.items() if name in here}
    prepared = Prepared(config, scene, split.parts, own, spec)
    return Gathered(prepared, split, shape, layout, normalizations)


def gather_again(
    meeting: Meeting,
    folder: RunFolder | None,
    source: int,
    change: Change,
    scene: Scene | None,
    tell: Tell | None,
    drives: bool = True,
) -> Gathered:
    """Prepare a run that exists: rank ``source`` reads its folder and tells the others.

    Parameters
    ----------
    meeting
        Of all ranks.
    folder, source
        The run folder, and on which rank it is.
    change
        The settings that may differ from the run's.
    scene
        Where the rasters lie here; None: where the folder says.
    tell
        Told of the scene's progress.
    drives
        Whether a driver will validate, for which it needs every modality.
    """
    plain: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    if meeting.rank == source and folder is not None:
        plain["config"] = (folder.path / "config.json").read_text(encoding="utf-8")
        plain["normalization"] = folder.read_part("normalization")
        plain["classes"] = [(one.id, one.name, one.color) for one in folder.read_classes()]
        found_parts = read_split(folder.path / "split.csv")
        arrays = packed_parts({name: found_parts.get(name, Samples.of([], [], [])) for name in PARTS})
    plain, arrays = meeting.tell(plain, source, arrays)
    config = change(config_from_json(plain["config"], "the run's config.json"))
    config = config if scene is None else replace(config, scene=scene)
    found = survey(meeting, config.scene, config.network.modalities)
    if [(one.id, one.name, one.color) for one in found.classes] != [tuple(one) for one in plain["classes"]]:
        raise RunError(
            f"{config.scene.folder}: its classes are not those that the run was trained on",
            "the scene has changed since; train anew",
        )
    shape, layout, spec = place(meeting, config, found, drives)
    here = aligned(meeting, config, found, shape, layout, tell, drives)
    normalizations = {name: Normalization.from_dict(plain["normalization"][name]) for name in spec.modalities}
    aligned_scene = AlignedScene(found.grid, found.classes, _labels_elsewhere(found), here)
    own = {name: one for name, one in normalizations.items() if name in here}
    prepared = Prepared(config, aligned_scene, unpacked_parts(arrays), own, spec)
    return Gathered(prepared, None, shape, layout, normalizations)


def settings_of_first(meeting: Meeting, config: Config) -> Config:
    """The settings of rank 0 with this rank's own scene: folders may differ from host to host."""
    text, _ = meeting.tell(config.as_json(), 0)
    return replace(config_from_json(str(text), "rank 0's configuration"), scene=config.scene)


def place(
    meeting: Meeting, config: Config, found: Survey, drives: bool = True
) -> tuple[NetworkShape, Layout, Any]:
    """Network and layout for what the ranks have."""
    spec = network_spec(config, found.bands, len(found.classes))
    shape = describe(spec)
    layout = layout_for(shape, meeting.size, config.layout.name, config.layout.ranks or None)
    check_needs(found, shape, layout, drives)
    return shape, layout, spec


def aligned(
    meeting: Meeting,
    config: Config,
    found: Survey,
    shape: NetworkShape,
    layout: Layout,
    tell: Tell | None,
    drives: bool = True,
) -> dict[str, AlignedModality]:
    """This rank's modalities, on the labels' grid."""
    wanted = needs(shape, layout, meeting.rank, drives)
    return {
        name: config.scene.align_modality(name, found.grid, tell) for name in wanted if name in found.bands
    }


def _labels_elsewhere(found: Survey) -> NDArray[np.int16]:
    """What stands for labels that only the rank which draws the split reads; takes no memory."""
    return np.broadcast_to(np.int16(-1), found.grid.shape)


def _draw(
    meeting: Meeting,
    config: Config,
    found: Survey,
    shape: NetworkShape,
    layout: Layout,
    here: Mapping[str, AlignedModality],
) -> Split:
    """The split, drawn by the rank with the labels from everybody's masks of where data is missing."""
    root = drawer(shape, layout)
    present = masks(meeting, root, found.grid, shape, layout, here)
    plain: list[Any] = []
    arrays: dict[str, NDArray[Any]] = {}
    if meeting.rank == root:
        split = _drawn(config, found, present)
        plain = [split.kind, split.size, split.class_ids, [*split.asked.items()], [*split.short.items()]]
        plain += [split.absent, split.block_edge]
        arrays = packed_parts(split.parts)
    (kind, size, ids, asked, short, absent, edge), arrays = meeting.tell(plain, root, arrays)
    return Split(
        **unpacked_parts(arrays),
        kind=kind,
        size=size,
        class_ids=tuple(ids),
        asked=dict(asked),
        short=dict(short),
        absent=tuple((part, number) for part, number in absent),
        block_edge=edge,
    )


def masks(
    meeting: Meeting,
    root: int,
    grid: Grid,
    shape: NetworkShape,
    layout: Layout,
    here: Mapping[str, AlignedModality],
) -> list[NDArray[np.bool_]]:
    """Where each modality has data, on rank ``root``; a bit a pixel crosses ranks."""
    given = {name: np.packbits(here[name].present) for name in _measured_by(meeting.rank, shape, layout)}
    return [
        _unpacked(mask, grid.shape)
        for _, arrays in meeting.collect(None, root, given)
        for mask in arrays.values()
    ]


def _drawn(config: Config, found: Survey, present: list[NDArray[np.bool_]]) -> Split:
    patches = config.patches
    return draw_split(
        config.scene.read_labels().ids,
        usable_centres(present, patches.size),
        [cover.id for cover in found.classes],
        size=patches.size,
        per_class=patches.per_class,
        fraction=patches.fraction,
        shares=patches.shares,
        kind=patches.split,
        seed=patches.seed,
    )


def _measured_by(rank: int, shape: NetworkShape, layout: Layout) -> list[str]:
    """Modalities whose mask and normalisation this rank tells the others: those it is the first to read."""
    first = {
        source: layout.owner[block.name][0]
        for block in shape.blocks
        for source in block.inputs
        if source not in shape.by_name
    }
    return [name for name in modalities_of(shape, layout, rank) if first[name] == rank]


def _measure(
    meeting: Meeting,
    config: Config,
    shape: NetworkShape,
    layout: Layout,
    here: Mapping[str, AlignedModality],
    samples: Samples,
) -> dict[str, Normalization]:
    """Every modality's normalisation, each measured where the modality lies."""
    mine = {
        name: measure_normalization(here[name], samples, config.patches.size).to_dict()
        for name in _measured_by(meeting.rank, shape, layout)
    }
    told = {name: plain for part in meeting.exchange(mine) for name, plain in part.items()}
    order = [source for block in shape.blocks for source in block.inputs if source in told]
    return {name: Normalization.from_dict(told[name]) for name in order}


def packed_parts(parts: Mapping[str, Samples]) -> dict[str, NDArray[Any]]:
    """Samples of all parts as arrays by name."""
    return {
        f"{part}.{field}": getattr(samples, field)
        for part, samples in parts.items()
        for field in ("rows", "columns", "labels")
    }


def unpacked_parts(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Samples]:
    """What `packed_parts` packed."""
    return {
        part: Samples.of(arrays[f"{part}.rows"], arrays[f"{part}.columns"], arrays[f"{part}.labels"])
        for part in PARTS
    }


def _unpacked(mask: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.bool_]:
    return np.unpackbits(mask, count=shape[0] * shape[1]).reshape(shape).astype(bool)
