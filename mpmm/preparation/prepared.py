"""From a configuration to all that training and scoring read: scene, split, normalisation, readers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpmm.errors import NetworkError, PatchError
from mpmm.network import BlockSpec, NetworkSpec
from mpmm.patches import (
    Batch,
    HeldOut,
    Normalization,
    PatchReader,
    Read,
    Samples,
    Split,
    SplitOptions,
    check_fold,
    check_shares,
    check_size,
    draw_split,
    usable_centres,
)
from mpmm.preparation.by_scene import split_by_scene
from mpmm.preparation.reducing import network_bands
from mpmm.results import RunFolder, write_scenes, write_split
from mpmm.scene import AlignedScenes, Grid, JoinedScene, LabelReport, SceneReport, SceneRows
from mpmm.settings import Config

# of one layer: 16 GiB of float32, twice more for the optimizer
_MOST_WEIGHTS = 2**32
# as far as the least size is looked for that a network fits
_LARGEST_PATCH = 256
# called with what is under way, and its share done
Report = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a run reads.

    Attributes
    ----------
    config
        The settings it came from.
    scene
        The aligned scene, or all of them below each other, with the network's modalities only.
    parts
        Samples by part: train, validation, test.
    normalizations
        By modality, measured on training patches.
    spec
        The network.
    notes, warnings
        What is to be said of the scene's bands and values, where it is another one than that of the training.
    """

    config: Config
    scene: AlignedScenes
    parts: Mapping[str, Samples]
    normalizations: Mapping[str, Normalization]
    spec: NetworkSpec
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in the order of the network's outputs."""
        return tuple(cover.name for cover in self.scene.classes)

    @property
    def scene_names(self) -> tuple[str, ...]:
        """Names of the scenes; none where there is one only."""
        if not isinstance(self.scene, JoinedScene):
            return ()
        return tuple(member.name for member in self.scene.members)

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

        def read(
            indices: NDArray[np.integer[Any]], epoch: int, rows: Mapping[str, slice] | None = None, /
        ) -> Batch:
            """Patches and labels of these samples, as augmented in this epoch; patches of some rows alone."""
            inputs = {}
            for name, reader in readers.items():
                inputs[name] = np.empty((len(indices), *reader.shape), np.float32)
                part = slice(None) if rows is None else rows.get(name, slice(0))
                reader.read(indices[part], epoch, inputs[name][part])
            return Batch(inputs, samples.labels[indices])

        return read

    def untrained(self, part: str) -> tuple[str, ...]:
        """Names of the classes of which a part holds patches, and training none."""
        classes = self.spec.classes
        trained, scored = (self.parts[name].counts(classes) > 0 for name in ("train", part))
        return tuple(self.class_names[position] for position in np.flatnonzero(scored & ~trained))

    def held_out(self, part: str) -> HeldOut:
        """The patches of a part that is only scored."""
        samples, numbers = self.parts[part], None
        if isinstance(self.scene, JoinedScene):
            numbers = self.scene.numbers_of(samples.rows)
        batch = self.config.training.batch
        return HeldOut(self.reader(part), len(samples), batch, max(1, len(self.scene_names)), numbers)


def check_patches(config: Config, report: SceneReport) -> None:
    """Refuse patches that this scene cannot give, as far as its labels tell: before anything is written.

    Raises
    ------
    PatchError
        The size is even or larger than the scene, the shares do not add up, or a class has no pixel.
    """
    check_sizes(config, report.labels.grid)
    check_labels(config, report.labels)


def check_sizes(config: Config, grid: Grid) -> None:
    """Refuse a patch size that does not fit the grid, shares that do not add up, and a fold that is none."""
    check_size(config.patches.size, *grid.shape)
    check_shares(config.patches.shares)
    check_fold(config.patches.folds, config.patches.fold)


def check_labels(config: Config, labels: LabelReport) -> None:
    """Refuse a class without a pixel, unless a given split has labels of its own."""
    for cover in labels.classes if config.patches.split != "given" else ():
        if not labels.counts.get(cover.id):
            raise PatchError(
                f"{labels.file}: {cover.title} has no pixel",
                "leave the class out of [scene.classes]",
            )


def network_spec(config: Config, bands: Mapping[str, int], classes: int) -> NetworkSpec:
    """The network that the configuration asks for, given the bands of each modality.

    Raises
    ------
    NetworkError
        A layer does not fit; where the patches are too small for it, the hint has the least size that fits.
    """
    size, seed, bands = config.patches.size, config.training.seed, network_bands(config, bands)
    try:
        spec = config.network.spec(bands, classes, size, seed)
        _check_parameters(spec)
        return spec
    except NetworkError as error:
        least = _least_size(config, bands, classes)
        if least is None:
            raise
        raise NetworkError(
            f"{error.problem}, in patches of {size} x {size} pixels (patches.size)",
            f"take patches.size = {least} or more, or {error.hint}",
        ) from error


def _check_parameters(spec: NetworkSpec) -> None:
    """Refuse a network whose layers no memory holds, by its description: before any of it is made."""
    features = sum(stream.features for stream in spec.streams)
    for stream in spec.streams:
        shapes = stream.shapes()
        for index, (block, sources) in enumerate(zip(stream.blocks, stream.sources(), strict=True), 1):
            if isinstance(block, BlockSpec):
                channels = shapes[sources[0]][3]
                layer = f"conv{index} of stream {stream.name}"
                _check_layer(layer, channels, math.prod(block.kernel), block.filters)
        inputs = math.prod(shapes[-1])
        for index, dense in enumerate(stream.dense, 1):
            _check_layer(f"dense{index} of stream {stream.name}", inputs, dense.units)
            inputs = dense.units
    for index, units in enumerate((*(dense.units for dense in spec.fusion), spec.classes), 1):
        _check_layer(f"dense{index} of the fusion", features, units)
        features = units


def _check_layer(layer: str, *factors: int) -> None:
    if math.prod(factors) > _MOST_WEIGHTS:
        raise NetworkError(
            f"{layer}: {math.prod(factors):,} weights, more than {_MOST_WEIGHTS:,}",
            "take fewer filters or units, or smaller kernels",
        )


def _least_size(config: Config, bands: Mapping[str, int], classes: int) -> int | None:
    """The least size of a patch above the configuration's that the network fits; None where there is none."""
    size = config.patches.size
    for larger in range(size + 1 + size % 2, _LARGEST_PATCH, 2):
        with suppress(NetworkError):
            config.network.spec(bands, classes, larger, config.training.seed)
            return larger
    return None


def spec_of_headers(config: Config) -> NetworkSpec:
    """The network that the configuration asks for, of its scene's headers and classes alone."""
    report = config.scene.inspect()
    bands = {modality.name: len(modality.band_names) for modality in report.modalities}
    return network_spec(config, bands, len(report.labels.classes))


def draw(config: Config, scene: AlignedScenes) -> Split:
    """The split that the configuration asks for."""
    return draw_where(config, scene, [modality.present for modality in scene.modalities.values()])


def draw_where(config: Config, scene: AlignedScenes, present: Sequence[NDArray[np.bool_]]) -> Split:
    """The split, from the scene's labels and each modality's mask of where it has data, (rows, columns)."""
    usable = usable_centres(present, config.patches.size)
    ids, names = [cover.id for cover in scene.classes], [cover.name for cover in scene.classes]
    options = split_options(config)
    if options.kind == "given":
        # as few runs have a given split, the others do without what reads it
        from mpmm.patches import draw_given
        from mpmm.preparation.given import given_parts

        return draw_given(given_parts(config, scene), usable, ids, options, names)
    return draw_split(scene.labels, usable, ids, options, names)


def split_options(config: Config) -> SplitOptions:
    """How many patches the configuration asks for, and how they are divided."""
    patches = config.patches
    return SplitOptions(
        size=patches.size,
        per_class=patches.limit,
        fraction=patches.fraction,
        shares=patches.shares,
        kind=patches.split,
        seed=patches.seed,
        folds=patches.folds,
        fold=patches.fold,
    )


def rows_of_scenes(scene: AlignedScenes) -> tuple[SceneRows, ...]:
    """Where each of several scenes lies on their common grid; nothing of one alone."""
    return scene.members if isinstance(scene, JoinedScene) else ()


def keep(prepared: Prepared, split: Split, folder: RunFolder) -> None:
    """Write into a run folder what going on with the run needs: classes, normalisation, samples."""
    folder.write_classes(prepared.scene.classes)
    folder.write_part(
        "normalization",
        {name: values.to_dict() for name, values in prepared.normalizations.items()},
    )
    members = rows_of_scenes(prepared.scene)
    write_split(folder.path / "split.csv", split.parts, prepared.scene.classes, members)
    if members:
        write_scenes(folder.path, members)
    folder.write_part(
        "split",
        {
            "kind": split.kind,
            "size": split.size,
            "counts": {part: len(samples) for part, samples in split.parts.items()},
            "leak": split.leaks(),
            "short": {str(number): count for number, count in split.short.items()},
            "absent": [list(pair) for pair in split.absent],
            "block_edge": split.block_edge,
            **({"by_scene": split_by_scene(split, members)} if members else {}),
        },
    )
