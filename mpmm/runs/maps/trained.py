"""What a map needs of a run: network, classes, normalisation; not the scene it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpmm.errors import RunError
from mpmm.mapping import Edge, ScenePixels
from mpmm.network import Array, Network
from mpmm.patches import Normalization
from mpmm.preparation import network_spec, read_records, records_of
from mpmm.results import CheckpointName, RunFolder, read_text
from mpmm.scene import AlignedModality, LandCover, Scene, SourceRecord, scene_files
from mpmm.settings import Config, config_from_json


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network with what it needs to map a scene.

    Attributes
    ----------
    folder
        The run.
    config
        Its settings.
    classes
        In the order of the network's outputs.
    normalizations
        By modality.
    network
        With the checkpoint's parameters.
    records
        What the training's files said of their bands, by modality; nothing in runs of an older mpmm.
    """

    folder: Path
    config: Config
    classes: tuple[LandCover, ...]
    normalizations: Mapping[str, Normalization]
    network: Network
    records: Mapping[str, SourceRecord]

    @classmethod
    def open(cls, path: Path, checkpoint: CheckpointName = "best") -> Trained:
        """Read a run folder; the scene it was trained on need not be there any more."""
        folder = RunFolder.open(path)
        settings = folder.path / "config.json"
        config = config_from_json(read_text(settings), str(settings))
        parameters = folder.read_checkpoint(checkpoint).arrays.get("parameters", {})
        plain = {
            "classes": [[cover.id, cover.name, cover.color] for cover in folder.read_classes()],
            "normalization": folder.read_part("normalization"),
            "bands": read_records(folder),
        }
        return cls.of(folder.path, config, plain, parameters)

    @classmethod
    def of(
        cls, folder: Path, config: Config, plain: Mapping[str, Any], parameters: Mapping[str, Array]
    ) -> Trained:
        """Put together a run's settings and what `packed` gives."""
        classes = tuple(LandCover(*cover) for cover in plain["classes"])
        normalizations = {
            name: Normalization.from_dict(values) for name, values in plain["normalization"].items()
        }
        bands = {name: len(normalization.shift) for name, normalization in normalizations.items()}
        network = Network(network_spec(config, bands, len(classes)), drawn=False)
        network.load(parameters)
        return cls(folder, config, classes, normalizations, network, records_of(plain["bands"]))

    def packed(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Plain values and arrays, for the other ranks, which need the settings too."""
        plain = {
            "classes": [[cover.id, cover.name, cover.color] for cover in self.classes],
            "normalization": {name: values.to_dict() for name, values in self.normalizations.items()},
            "bands": {name: record.to_dict() for name, record in self.records.items()},
        }
        return plain, self.network.state()

    def pixels(self, modalities: Mapping[str, AlignedModality], edge: Edge) -> ScenePixels:
        """The scene as the network reads it."""
        spec = self.network.spec
        sizes = {stream.name: stream.size for stream in spec.streams}
        chosen = {name: modalities[name] for name in spec.modalities}
        return ScenePixels(chosen, self.normalizations, sizes, edge)

    def inputs(self, scene: Scene, config: Path | None = None) -> tuple[Path, ...]:
        """Files that the run, its own scene and the scene to map read; and that scene's configuration."""
        other = () if scene in self.config.scenes else tuple(scene_files(scene))
        own = (*RunFolder(self.folder).read_files(), *self.config.read_files())
        return (*([] if config is None else [config]), *own, *other)

    def check(self, scene: Scene) -> None:
        """Refuse a scene without the network's modalities."""
        known = [modality.name for modality in scene.modalities]
        missing = [name for name in self.network.spec.modalities if name not in known]
        if missing:
            raise RunError(
                f"{scene.folder}: no modality {missing[0]!r}, which {self.folder} was trained on",
                f"the scene has {', '.join(known)}; name its modalities as in the training scene",
            )
