"""The configuration of a run: frozen dataclasses, read once from TOML, or built from Python."""

from __future__ import annotations

import codecs
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from mpmm.errors import ConfigError
from mpmm.messages import WireFormat
from mpmm.network import (
    DenseSpec,
    DType,
    Kernels,
    NetworkSpec,
    Preset,
    Start,
    StreamSpec,
    preset_fusion,
    preset_stream,
)
from mpmm.placement import BatchNormScope, LayoutName, LayoutOptions, UpdatePlace
from mpmm.scene import Scene, check_modalities, named_files, scene_files
from mpmm.settings.patches import PatchesConfig
from mpmm.settings.scene_table import SceneTable
from mpmm.settings.several import check_parts, further_tables, scene_tables, together
from mpmm.settings.training import TrainingConfig
from mpmm.settings.validation import as_json, read_as, values


@dataclass(frozen=True)
class StreamConfig:
    """``[network.streams.NAME]``: blocks and dense layers of one modality's stream."""

    blocks: tuple[values.Block, ...]
    dense: tuple[DenseSpec, ...] = (DenseSpec(256, dropout=0.5),)


@dataclass(frozen=True)
class NetworkConfig:
    """``[network]``: a preset, or streams and fusion layer by layer.

    Attributes
    ----------
    preset
        "paper": the stream of a modality follows from its number of bands; or a network of the literature.
    modalities
        The streams and their order; empty: all modalities of the scene.
    streams
        Streams that are not the preset's, by modality.
    fusion
        Dense layers behind the concatenation; None: the preset's.
    dtype, kernels
        "float32" or "float64"; "fast", "direct" or "reference".
    start
        Variance of the initial weights: "fan_in", "glorot" or "he".
    """

    preset: Preset = "paper"
    modalities: tuple[str, ...] = ()
    streams: dict[str, StreamConfig] = field(default_factory=dict)
    fusion: tuple[DenseSpec, ...] | None = None
    dtype: DType = "float32"
    kernels: Kernels = "fast"
    start: Start = "fan_in"

    def spec(self, bands: Mapping[str, int], classes: int, size: int, seed: int) -> NetworkSpec:
        """The network for these modalities (bands of each, in order), classes, patch size and seed."""
        names = self.modalities or tuple(bands)
        check_modalities((*names, *self.streams), bands, "network")
        streams = tuple(self._stream(name, bands[name], size) for name in names)
        fusion = preset_fusion(self.preset) if self.fusion is None else self.fusion
        return NetworkSpec(streams, fusion, classes, self.dtype, self.kernels, seed, self.start)

    def _stream(self, name: str, bands: int, size: int) -> StreamSpec:
        if name in self.streams:
            stream = self.streams[name]
            return StreamSpec(name, bands, size, stream.blocks, stream.dense)
        return preset_stream(self.preset, name, bands, size)


@dataclass(frozen=True)
class LayoutConfig:
    """``[layout]``: which rank owns what.

    Attributes
    ----------
    name
        "auto": one process without mpirun; under it what a search takes to be the fastest there.
    ranks
        Rank of each block, e.g. ``"hsi.block1" = 2``, or ranks that share it, each with a shard of the batch:
        ``[1, 2, 3]``; given, it replaces ``name``.
    shares
        Of blocks on several ranks: how many of a batch's 16 groups each takes, e.g. ``[8, 6, 2]``.
    update
        "server": rank 0 updates every parameter; "owner": each block's ranks do, by the same sum.
    wire
        What activations and their gradients travel as between ranks, by choice in two bytes a value.
    gradient_wire
        What gradients of parameters travel as, likewise.
    batch_norm
        "exact": over the batch; "per_shard": over the samples of each rank that shares a block;
        "per_micro_batch": over those of each micro-batch.
    micro_batches
        Parts of a batch, 1 to 16, that go through the ranks one behind the other, so that ranks that wait for
        each other's blocks compute at the same time.
    threads
        Threads of this machine's ranks together; None: all its cores.
    pin
        Whether ranks that have to share cores keep to some of them, the light ranks at a lower priority.
    """

    name: LayoutName = "auto"
    ranks: dict[str, values.Count | tuple[values.Count, ...]] = field(default_factory=dict)
    shares: dict[str, tuple[values.Positive, ...]] = field(default_factory=dict)
    update: UpdatePlace = "server"
    wire: WireFormat = "float32"
    gradient_wire: WireFormat = "float32"
    batch_norm: BatchNormScope = "exact"
    micro_batches: values.Positive = 1
    threads: values.Positive | None = None
    pin: bool = True


@dataclass(frozen=True)
class Config:
    """All of a run's settings.

    Attributes
    ----------
    scene
        What patches are drawn from.
    patches, network, training, layout
        As in the TOML tables of these names.
    further
        More scenes that patches are drawn from, with the modalities and classes of the first.

    Raises
    ------
    ConfigError
        Two scenes have one name or the same labels, or name other classes.
    """

    scene: Scene
    patches: PatchesConfig = field(default_factory=PatchesConfig)
    network: NetworkConfig = NetworkConfig()
    training: TrainingConfig = field(default_factory=TrainingConfig)
    layout: LayoutConfig = LayoutConfig()
    further: tuple[Scene, ...] = ()

    def __post_init__(self) -> None:
        check_parts(self.patches, self.scenes)
        if self.further:
            scene, *further = together(self.scenes)
            object.__setattr__(self, "scene", scene)
            object.__setattr__(self, "further", tuple(further))

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """All scenes, in their order."""
        return self.scene, *self.further

    def with_scenes(self, scenes: Sequence[Scene]) -> Config:
        """These settings with other scenes, at least one."""
        first, *further = scenes
        return replace(self, scene=first, further=tuple(further))

    @property
    def layout_options(self) -> LayoutOptions:
        """How the ranks work together, as a layout holds it."""
        layout, clips = self.layout, self.training.clip_norm is not None
        return LayoutOptions(
            layout.update,
            layout.wire,
            layout.batch_norm,
            clips,
            layout.micro_batches,
            gradient_wire=layout.gradient_wire,
        )

    def read_files(self) -> Iterator[Path]:
        """Every file on this machine that a run with these settings reads."""
        return chain.from_iterable(scene_files(scene, self.patches.files) for scene in self.scenes)

    def named_files(self) -> Iterator[Path]:
        """What of `read_files` is known without a raster being opened: enough for a new output."""
        return chain.from_iterable(named_files(scene, self.patches.files) for scene in self.scenes)

    def as_json(self) -> str:
        """This configuration as JSON, for a run's folder; `config_from_json` reads it back."""
        return as_json(self)


@dataclass(frozen=True)
class _ConfigTable:
    """The TOML file as a whole."""

    scene: SceneTable
    patches: PatchesConfig = field(default_factory=PatchesConfig)
    network: NetworkConfig = NetworkConfig()
    training: TrainingConfig = field(default_factory=TrainingConfig)
    layout: LayoutConfig = LayoutConfig()


def load_config(path: Path, partly: bool = False) -> Config:
    """Read a TOML configuration; relative folders in it count from the folder in which the file is named.

    ``partly`` takes rasters of a preset that are missing here as being on another rank's machine.

    Raises
    ------
    ConfigError
        The file is missing or no TOML; a key is unknown (the nearest known one is named), missing,
        or of the wrong type.
    """
    try:
        table = tomllib.loads(read_config_text(path))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}", "see docs/configuration.md for the format") from error
    tables = scene_tables(table.get("scene"), path)
    read = read_as(_ConfigTable, {**table, **({"scene": tables[0]} if tables else {})}, str(path))
    scene, *further = (
        each.scene(path.absolute(), partly) for each in (read.scene, *further_tables(tables, path))
    )
    return Config(
        scene=scene,
        further=tuple(further),
        patches=read.patches,
        network=read.network,
        training=read.training,
        layout=read.layout,
    )


def read_config_text(path: Path) -> str:
    """Text of a TOML configuration; a byte order mark, as Windows Notepad writes it, says the encoding.

    Raises
    ------
    ConfigError
        The file cannot be read, or is in no encoding of Unicode.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}", "give the path of a TOML configuration"
        ) from error
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}: line {line} is not in UTF-8", "save the file as UTF-8") from error
    return text.replace("\r\n", "\n")


def config_from_json(text: str, origin: str) -> Config:
    """Read back what `Config.as_json` wrote; ``origin`` names the file in errors.

    Settings of runs from before `[network] start` could be chosen do not name it: their weights started
    as "he".
    """
    try:
        table = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{origin}: not JSON: {error}", "the run's folder is damaged") from error
    network = table.get("network") if isinstance(table, dict) else None
    if isinstance(network, dict):
        network.setdefault("start", "he")
    return read_as(Config, table, origin)


def run_name(config: Path) -> str:
    """Name of a run of a configuration: the file's own, or its folder's where it is called mpmm.toml."""
    return config.absolute().parent.name or "run" if config.stem == "mpmm" else config.stem
