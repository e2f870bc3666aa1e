"""From a configuration to all that training and scoring read: scene, split, normalisation, readers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpmm.errors import PatchError, RunError
from mpmm.network import NetworkSpec
from mpmm.patches import (
    PARTS,
    Batch,
    HeldOut,
    Normalization,
    PatchReader,
    Read,
    Samples,
    Split,
    SplitOptions,
    check_shares,
    check_size,
    draw_split,
    measure_normalization,
    usable_centres,
)
from mpmm.results import RunFolder, read_split, write_split
from mpmm.scene import AlignedScene, Grid, LandCover, SceneReport
from mpmm.settings import Config, config_from_json

Tell = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a run reads.

    Attributes
    ----------
    config
        The settings it came from.
    scene
        The aligned scene, with the network's modalities only.
    parts
        Samples by part: train, validation, test.
    normalizations
        By modality, measured on training patches.
    spec
        The network.
    """

    config: Config
    scene: AlignedScene
    parts: Mapping[str, Samples]
    normalizations: Mapping[str, Normalization]
    spec: NetworkSpec

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in the order of the network's outputs."""
        return tuple(cover.name for cover in self.scene.classes)

    def reader(self, part: str, augment: bool = False) -> Read:
        """How to read patches of one part."""
        samples = self.parts[part]
        readers = {
            name: PatchReader(
                self.scene.modalities[name],
                samples,
                self.config.patches.size,
                normalization,
                augment=augment,
                seed=self.config.training.seed,
            )
            for name, normalization in self.normalizations.items()
        }

        def read(indices: NDArray[np.integer[Any]], epoch: int) -> Batch:
            inputs = {name: reader.read(indices, epoch) for name, reader in readers.items()}
            return Batch(inputs, samples.labels[indices])

        return read

    def held_out(self, part: str) -> HeldOut:
        """The patches of a part that is only scored."""
        return HeldOut(self.reader(part), len(self.parts[part]), self.config.training.batch)


def prepare(config: Config, tell: Tell | None = None) -> tuple[Prepared, Split]:
    """Read the scene, draw the split, measure the normalisation; nothing is written but the scene's cache.

    Parameters
    ----------
    config
        The settings.
    tell
        Told what is under way, and its share done.

    Raises
    ------
    MpmmError
        A raster, a patch setting or the network does not fit; one line says which.
    """
    report = config.scene.inspect()
    check_patches(config, report)
    bands = {modality.name: len(modality.band_names) for modality in report.modalities}
    spec = network_spec(config, bands, len(report.labels.classes))
    scene = config.scene.align(spec.modalities, tell)
    split = draw(config, scene)
    normalizations = {
        name: measure_normalization(modality, split.train, config.patches.size)
        for name, modality in ((name, scene.modalities[name]) for name in spec.modalities)
    }
    return Prepared(config, scene, split.parts, normalizations, spec), split


def check_patches(config: Config, report: SceneReport) -> None:
    """Refuse patches that this scene cannot give, as far as its labels tell: before anything is written.

    Raises
    ------
    PatchError
        The size is even or larger than the scene, the shares do not add up, or a class has no pixel.
    """
    check_sizes(config, report.labels.grid)
    for cover in report.labels.classes:
        if not report.labels.counts.get(cover.id):
            raise PatchError(
                f"{report.labels.file}: class {cover.id} ({cover.name}) has no pixel",
                "leave the class out of [scene.classes]",
            )


def check_sizes(config: Config, grid: Grid) -> None:
    """The part of `check_patches` that needs to know the scene's grid only."""
    check_size(config.patches.size, *grid.shape)
    check_shares(config.patches.shares)


def network_spec(config: Config, bands: Mapping[str, int], classes: int) -> NetworkSpec:
    """The network that the configuration asks for, given the bands of each modality."""
    return config.network.spec(bands, classes, config.patches.size, config.training.seed)


def draw(config: Config, scene: AlignedScene) -> Split:
    """The split that the configuration asks for."""
    present = [modality.present for modality in scene.modalities.values()]
    return draw_where(config, scene.labels, present, scene.classes)


def draw_where(
    config: Config, ids: NDArray[np.int16], present: Sequence[NDArray[np.bool_]], classes: Sequence[LandCover]
) -> Split:
    """The split, from the label ids and each modality's mask of where it has data, all (rows, columns)."""
    usable = usable_centres(present, config.patches.size)
    class_ids, names = [cover.id for cover in classes], [cover.name for cover in classes]
    return draw_split(ids, usable, class_ids, split_options(config), names)


def split_options(config: Config) -> SplitOptions:
    """How many patches the configuration asks for, and how they are divided."""
    patches = config.patches
    return SplitOptions(
        size=patches.size,
        per_class=patches.per_class,
        fraction=patches.fraction,
        shares=patches.shares,
        kind=patches.split,
        seed=patches.seed,
    )


def keep(prepared: Prepared, split: Split, folder: RunFolder) -> None:
    """Write what `restore` needs into a run folder."""
    folder.write_classes(prepared.scene.classes)
    folder.write_part("normalization", {name: one.to_dict() for name, one in prepared.normalizations.items()})
    write_split(folder.path / "split.csv", split.parts, prepared.scene.classes)
    folder.write_part(
        "split",
        {
            "kind": split.kind,
            "size": split.size,
            "counts": {part: len(samples) for part, samples in split.parts.items()},
            "leak": split.leak(),
            "short": {str(number): count for number, count in split.short.items()},
            "absent": [list(one) for one in split.absent],
            "block_edge": split.block_edge,
        },
    )


def restore(folder: RunFolder, tell: Tell | None = None) -> Prepared:
    """What a run was made with, from its folder; only the scene itself is read from where it lies."""
    path = folder.path / "config.json"
    config = config_from_json(path.read_text(encoding="utf-8"), str(path))
    scene = config.scene.align(config.network.modalities or None, tell)
    bands = {name: modality.values.shape[2] for name, modality in scene.modalities.items()}
    spec = network_spec(config, bands, len(scene.classes))
    classes = folder.read_classes()
    if classes != scene.classes:
        raise RunError(
            f"{config.scene.folder}: its classes are not those that {folder.path} was trained on",
            "the scene has changed since; train anew",
        )
    found = read_split(folder.path / "split.csv")
    parts = {name: found.get(name, Samples.of([], [], [])) for name in PARTS}
    plain = folder.read_part("normalization")
    normalizations = {name: Normalization.from_dict(plain[name]) for name in spec.modalities}
    return Prepared(config, scene, parts, normalizations, spec)
