"""From a configuration to what each rank reads: its own rasters; the rest is broadcast once at the start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mpmm.messages import Collectives
from mpmm.network import NetworkSpec
from mpmm.patches import PARTS, Normalization, Samples, Split
from mpmm.placement import LABELS, Layout, NetworkShape, describe, required_sources
from mpmm.preparation.inventory import Inventory, check_sources
from mpmm.preparation.naming import told_of
from mpmm.preparation.placing import Placing
from mpmm.preparation.prepared import Prepared, Report, check_labels, network_spec
from mpmm.preparation.records import range_warnings, read_records, records_of, with_ranges
from mpmm.preparation.reducing import reduced_scene
from mpmm.preparation.sampling import (
    Readers,
    draw_together,
    measure_together,
    packed_parts,
    unpacked_parts,
)
from mpmm.preparation.several import agree, check_number, joined_inventory, take_inventories
from mpmm.results import RunFolder, read_split, read_text
from mpmm.scene import (
    AlignedScene,
    AlignedScenes,
    LandCover,
    Scene,
    SourceRecord,
    headers_read_once,
    join_scenes,
)
from mpmm.settings import Config, config_from_json

if TYPE_CHECKING:
    from mpmm.placement import Choice

Change = Callable[[Config], Config]


@dataclass(frozen=True, eq=False)
class RankPreparation:
    """What a rank knows before the first step.

    Attributes
    ----------
    prepared
        What it reads: its own modalities, and the labels where it has the loss; samples of all parts.
    split
        On every rank of a new run; None of one that goes on.
    shape, layout
        The network, and who owns what of it.
    normalizations
        Of all modalities.
    records
        What the files of a new run's modalities say of their bands.
    choice
        Why this layout, if it was found by search.
    """

    prepared: Prepared
    split: Split | None
    shape: NetworkShape
    layout: Layout
    normalizations: Mapping[str, Normalization]
    records: Mapping[str, SourceRecord] = field(default_factory=dict)
    choice: Choice | None = None

    @property
    def whole(self) -> Prepared:
        """With all normalisations, as the run folder keeps them."""
        return replace(self.prepared, normalizations=self.normalizations)


@dataclass(frozen=True)
class Restoration:
    """How a run that exists is taken up.

    Attributes
    ----------
    source
        The rank that has the run folder.
    change
        Puts new limits or another layout into the run's settings.
    scenes
        Where the rasters lie on this rank's machine; none: where the run's settings say.
    drives
        Whether a driver will validate, for which it needs every modality.
    force_bands
        Whether the scene's bands are taken as they come, whatever files say of them.
    """

    source: int = 0
    change: Change = lambda config: config
    scenes: tuple[Scene, ...] = ()
    drives: bool = True
    force_bands: bool = False


@headers_read_once()
def prepare_on_ranks(
    collectives: Collectives,
    config: Config,
    report: Report | None = None,
    check: Callable[[Layout], None] | None = None,
) -> RankPreparation:
    """Prepare a new run together; rank 0's settings count, but each rank's own scene.

    Parameters
    ----------
    collectives
        Of all ranks; of one, where a process is alone.
    config
        The settings.
    report
        Called with the modality that is being aligned, and its share done.
    check
        Called on each rank as soon as the layout is known, and on all of them before anything is aligned.

    Raises
    ------
    MpmmError
        A raster, a patch setting or the network does not fit, a rank lacks files, or the layout cannot use so
        many ranks.
    """
    config = _settings_of_first(collectives, config)
    config, inventories = agree(collectives, config)
    inventory = joined_inventory(config, inventories)
    check_labels(config, inventory.labels)
    readers, spec, choice = _placed(collectives, config, inventory)
    if check is not None:
        check(readers.layout)
        collectives.broadcast(None, readers.layout.collector)
    scene = _aligned(readers, config, inventories, report)
    split = draw_together(readers, config, scene)
    normalizations = measure_together(readers, config, scene, split.train)
    own = {name: normalizations[name] for name in normalizations if name in scene.modalities}
    records = with_ranges(readers, inventory.records, scene, split.train, config.patches.size)
    prepared = Prepared(config, reduced_scene(scene, normalizations), split.parts, own, spec)
    return RankPreparation(prepared, split, readers.shape, readers.layout, normalizations, records, choice)


@headers_read_once()
def restore_on_ranks(
    collectives: Collectives, folder: RunFolder | None, restoration: Restoration, report: Report | None = None
) -> RankPreparation:
    """Prepare a run that exists: one rank reads its folder, the others get what stands there.

    Parameters
    ----------
    collectives
        Of all ranks; of one, where a process is alone.
    folder
        The run folder, on the rank that has it.
    restoration
        Which rank that is, and what may differ from the run's settings.
    report
        Called with the modality that is being aligned, and its share done.

    Raises
    ------
    MpmmError
        The scene has other classes than the run, or bands that are not clearly those of the training; a rank
        lacks files, or the layout cannot use so many ranks.
    """
    # a new run does without
    from mpmm.preparation.matching import Known, match_scenes, with_classes_of_run

    trained_with, plain, arrays = _shared_contents(collectives, folder, restoration.source)
    config = restoration.change(trained_with)
    classes = [LandCover(*cover) for cover in plain["classes"]]
    if restoration.scenes:
        config = config.with_scenes([with_classes_of_run(scene, classes) for scene in restoration.scenes])
    check_number(collectives, config)
    trained = records_of(plain["bands"])
    inventories = take_inventories(collectives, config)
    known = Known(tuple(classes), plain["normalization"], trained, restoration.force_bands)
    matched = match_scenes(config, inventories, known)
    inventory = joined_inventory(matched.config, matched.inventories)
    readers, spec, choice = _placed(collectives, matched.config, inventory, restoration.drives)
    scene = _aligned(readers, matched.config, matched.inventories, report)
    normalizations = {name: Normalization.from_dict(plain["normalization"][name]) for name in spec.modalities}
    own = {name: normalizations[name] for name in normalizations if name in scene.modalities}
    notes, warnings = matched.changes, tuple[str, ...]()
    if restoration.scenes:
        notes = (*notes, *matched.unchecked)
        mine = range_warnings(scene.modalities, trained, readers.measured_here())
        warnings = tuple(line for lines in collectives.allgather(mine) for line in lines)
    scene = reduced_scene(scene, normalizations)
    prepared = Prepared(matched.config, scene, unpacked_parts(arrays), own, spec, notes, warnings)
    return RankPreparation(prepared, None, readers.shape, readers.layout, normalizations, choice=choice)


def _shared_contents(
    collectives: Collectives, folder: RunFolder | None, source: int
) -> tuple[Config, dict[str, Any], dict[str, NDArray[Any]]]:
    """Settings and contents of a run folder, on every rank; one reads and checks them."""
    config: Config | None = None
    plain: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    if collectives.rank == source and folder is not None:
        config = config_from_json(read_text(folder.path / "config.json"), "the run's config.json")
        plain, arrays = _contents(folder)
    config = collectives.broadcast_object(config, source)
    assert config is not None, "the source has the run folder"
    return config, *collectives.broadcast(plain, source, arrays)


def _contents(folder: RunFolder) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """What a run folder tells of classes, normalisation and samples."""
    plain = {
        "normalization": folder.read_part("normalization"),
        "bands": read_records(folder),
        "classes": [[cover.id, cover.name, cover.color] for cover in folder.read_classes()],
    }
    samples = read_split(folder.path / "split.csv")
    return plain, packed_parts({part: samples.get(part, Samples.of([], [], [])) for part in PARTS})


def _settings_of_first(collectives: Collectives, config: Config) -> Config:
    """The settings of rank 0 with this rank's own scenes: folders may differ from host to host."""
    check_number(collectives, config)
    return collectives.broadcast_object(config, 0).with_scenes(config.scenes)


def _placed(
    collectives: Collectives, config: Config, inventory: Inventory, drives: bool = True
) -> tuple[Readers, NetworkSpec, Choice | None]:
    """Who reads what, and the network, for the files that the ranks have; one rank alone reads all."""
    spec = network_spec(config, inventory.bands, len(inventory.classes))
    shape = describe(spec)
    layout, choice = Placing(collectives, config, spec, shape, inventory, drives).layout()
    check_sources(inventory, shape, layout, drives)
    return Readers(collectives, shape, layout, drives), spec, choice


def _aligned(
    readers: Readers, config: Config, inventories: Sequence[Inventory], report: Report | None
) -> AlignedScenes:
    """What this rank reads of the scenes, on their labels' grids; several of them below each other."""
    aligned = []
    for scene, inventory in zip(config.scenes, inventories, strict=True):
        with told_of(scene, config.scenes):
            aligned.append(_aligned_alone(readers, scene, inventory, report))
    if len(aligned) == 1:
        return aligned[0]
    return join_scenes([scene.title for scene in config.scenes], aligned)


def _aligned_alone(
    readers: Readers, scene: Scene, inventory: Inventory, report: Report | None
) -> AlignedScene:
    sources = required_sources(readers.shape, readers.layout, readers.rank, readers.drives)
    names = [name for name in sources if name in inventory.bands]
    ready = inventory.ready
    folders = {name: ready[name] for name in names if name in ready}
    modalities = scene.map_prepared(folders, inventory.band_names)
    missing = [name for name in names if name not in ready]
    if missing:
        modalities |= scene.align_on(inventory.grid, missing, report)
    modalities = {name: modalities[name] for name in names}
    if LABELS not in sources:
        # stands for labels that only the rank which draws the split reads; takes no memory
        ids = np.broadcast_to(np.int16(-1), inventory.grid.shape)
    elif LABELS in ready:
        ids = ready[LABELS].map("ids.npy")
    else:
        ids = scene.read_labels().ids
    return AlignedScene(inventory.grid, inventory.classes, ids, modalities)
