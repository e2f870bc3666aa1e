"""From a configuration to what each rank reads: only its own rasters; the rest is told once at the start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpmm.errors import RunError
from mpmm.messages import Collectives
from mpmm.network import NetworkSpec
from mpmm.patches import PARTS, Normalization, Samples, Split
from mpmm.placement import Layout, NetworkShape, describe, layout_for
from mpmm.preparation.inventory import Inventory, check_sources, required_sources, take_inventory
from mpmm.preparation.prepared import Prepared, Tell, check_sizes, network_spec
from mpmm.preparation.sampling import draw_together, measure_together, packed_parts, unpacked_parts
from mpmm.results import RunFolder, read_split
from mpmm.scene import AlignedModality, AlignedScene, Scene
from mpmm.settings import Config, config_from_json

Change = Callable[[Config], Config]


@dataclass(frozen=True, eq=False)
class RankPreparation:
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


def prepare_on_ranks(collectives: Collectives, config: Config, tell: Tell | None = None) -> RankPreparation:
    """Prepare a new run together; rank 0's settings count, but each rank's own scene.

    Raises
    ------
    MpmmError
        As `mpmm.preparation.prepared.prepare`; or a rank lacks files, or the layout cannot use so many ranks.
    """
    config = settings_of_first(collectives, config)
    inventory = take_inventory(collectives, config.scene, config.network.modalities)
    check_sizes(config, inventory.grid)
    shape, layout, spec = place(collectives, config, inventory)
    here = aligned(collectives, config, inventory, shape, layout, tell)
    split = draw_together(collectives, config, inventory, shape, layout, here)
    normalizations = measure_together(collectives, config, shape, layout, here, split.train)
    scene = AlignedScene(inventory.grid, inventory.classes, _labels_elsewhere(inventory), here)
    own = {name: one for name, one in normalizations.items() if name in here}
    prepared = Prepared(config, scene, split.parts, own, spec)
    return RankPreparation(prepared, split, shape, layout, normalizations)


def restore_on_ranks(
    collectives: Collectives,
    folder: RunFolder | None,
    source: int,
    change: Change,
    scene: Scene | None,
    tell: Tell | None,
    drives: bool = True,
) -> RankPreparation:
    """Prepare a run that exists: rank ``source`` reads its folder and tells the others.

    Parameters
    ----------
    collectives
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
    if collectives.rank == source and folder is not None:
        plain["config"] = (folder.path / "config.json").read_text(encoding="utf-8")
        plain["normalization"] = folder.read_part("normalization")
        plain["classes"] = [(one.id, one.name, one.color) for one in folder.read_classes()]
        found_parts = read_split(folder.path / "split.csv")
        arrays = packed_parts({name: found_parts.get(name, Samples.of([], [], [])) for name in PARTS})
    plain, arrays = collectives.broadcast(plain, source, arrays)
    config = change(config_from_json(plain["config"], "the run's config.json"))
    config = config if scene is None else replace(config, scene=scene)
    inventory = take_inventory(collectives, config.scene, config.network.modalities)
    if [(one.id, one.name, one.color) for one in inventory.classes] != [
        tuple(one) for one in plain["classes"]
    ]:
        raise RunError(
            f"{config.scene.folder}: its classes are not those that the run was trained on",
            "the scene has changed since; train anew",
        )
    shape, layout, spec = place(collectives, config, inventory, drives)
    here = aligned(collectives, config, inventory, shape, layout, tell, drives)
    normalizations = {name: Normalization.from_dict(plain["normalization"][name]) for name in spec.modalities}
    aligned_scene = AlignedScene(inventory.grid, inventory.classes, _labels_elsewhere(inventory), here)
    own = {name: one for name, one in normalizations.items() if name in here}
    prepared = Prepared(config, aligned_scene, unpacked_parts(arrays), own, spec)
    return RankPreparation(prepared, None, shape, layout, normalizations)


def settings_of_first(collectives: Collectives, config: Config) -> Config:
    """The settings of rank 0 with this rank's own scene: folders may differ from host to host."""
    text, _ = collectives.broadcast(config.as_json(), 0)
    return replace(config_from_json(str(text), "rank 0's configuration"), scene=config.scene)


def place(
    collectives: Collectives, config: Config, inventory: Inventory, drives: bool = True
) -> tuple[NetworkShape, Layout, NetworkSpec]:
    """Network and layout for what the ranks have."""
    spec = network_spec(config, inventory.bands, len(inventory.classes))
    shape = describe(spec)
    layout = layout_for(shape, collectives.size, config.layout.name, config.layout.ranks or None)
    check_sources(inventory, shape, layout, drives)
    return shape, layout, spec


def aligned(
    collectives: Collectives,
    config: Config,
    inventory: Inventory,
    shape: NetworkShape,
    layout: Layout,
    tell: Tell | None,
    drives: bool = True,
) -> dict[str, AlignedModality]:
    """This rank's modalities, on the labels' grid."""
    sources = required_sources(shape, layout, collectives.rank, drives)
    return {
        name: config.scene.align_modality(name, inventory.grid, tell)
        for name in sources
        if name in inventory.bands
    }


def _labels_elsewhere(inventory: Inventory) -> NDArray[np.int16]:
    """What stands for labels that only the rank which draws the split reads; takes no memory."""
    return np.broadcast_to(np.int16(-1), inventory.grid.shape)
