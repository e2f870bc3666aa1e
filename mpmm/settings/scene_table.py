"""The ``[scene]`` table of a configuration, as a user writes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from mpmm.errors import ConfigError
from mpmm.scene import BenchmarkName, Labels, LandCover, Modality, Scene, WholePart, benchmark_scene, color_of
from mpmm.settings.validation import read_as, values

# what bands of another modality choose for themselves
_BAND_CHOICES = ("bands", "near", "between", "evenly")


@dataclass(frozen=True)
class _Class:
    name: str
    color: str | None = None


@dataclass(frozen=True)
class SceneTable:
    """A preset and a folder, or a folder, labels, classes and modalities."""

    folder: str = "."
    name: str | None = None
    part: WholePart | None = None
    preset: Literal["dfc2018", BenchmarkName] | None = None
    lidar: bool = False
    rgb: bool = False
    cache: str | None = None
    labels: dict[str, values.JsonValue] | None = None
    classes: dict[str, str | _Class] = field(default_factory=dict)
    modalities: dict[str, dict[str, values.JsonValue]] = field(default_factory=dict)

    def scene(self, path: Path, partly: bool = False) -> Scene:
        """The scene that the configuration at ``path`` describes; its folders count from the file's own.

        ``partly`` takes files that are missing here as being on another machine.
        """
        return replace(self._scene(path, partly), name=self.name, part=self.part)

    def _scene(self, path: Path, partly: bool) -> Scene:
        folder = _folder(path, self.folder)
        cache = None if self.cache is None else _folder(path, self.cache)
        if self.preset is not None:
            return self._preset(path, folder, cache, partly)
        if not self.modalities:
            missing = "labels" if self.labels is None else "modalities.NAME"
            raise ConfigError(
                f"{path}: [scene] has no {missing}", f'add [scene.{missing}], or preset = "dfc2018"'
            )
        return Scene(
            folder=folder,
            labels=self._labels(path),
            modalities=tuple(
                read_as(Modality, {**table, "name": name}, f"{path}: scene.modalities.{name}")
                for name, table in self._described(path)
            ),
            cache=cache,
        )

    def _described(self, path: Path) -> Iterator[tuple[str, dict[str, values.JsonValue]]]:
        """Modalities by name; bands ``of`` another have its files and settings, with their own on top."""
        for name, table in self.modalities.items():
            whole = table.get("of")
            if whole is None:
                yield name, table
                continue
            source = self.modalities.get(str(whole), {"of": ""})
            if "of" in source:
                others = [other for other, keys in self.modalities.items() if "of" not in keys]
                raise ConfigError(
                    f"{path}: scene.modalities.{name}: of = {whole!r} is no modality with files of its own",
                    f"name one of these: {', '.join(others)}" if others else "give files",
                )
            shared = {key: value for key, value in source.items() if key not in _BAND_CHOICES}
            yield name, {**shared, **{key: value for key, value in table.items() if key != "of"}}

    def _preset(self, path: Path, folder: Path, cache: Path | None, partly: bool) -> Scene:
        if self.labels is not None or self.classes or self.modalities:
            raise ConfigError(
                f'{path}: [scene] has preset = "{self.preset}" and labels, classes or modalities of its own',
                "keep the preset, or describe the scene without it",
            )
        if self.preset is None or self.preset == "dfc2018":
            self._refuse(path, "rgb", self.rgb, "it always has its own")
            return Scene.dfc2018(folder, lidar=self.lidar, cache=cache, partly=partly)
        self._refuse(path, "lidar", self.lidar, "it is a cube alone")
        return benchmark_scene(self.preset, folder, rgb=self.rgb, cache=cache, partly=partly)

    def _refuse(self, path: Path, key: str, given: bool, why: str) -> None:
        if given:
            raise ConfigError(
                f'{path}: [scene] has {key} with preset = "{self.preset}": {why}', f"take {key} out"
            )

    def _labels(self, path: Path) -> Labels | None:
        """None for a scene that is only mapped."""
        if self.labels is not None:
            labels = read_as(Labels, self.labels, f"{path}: scene.labels")
            return replace(labels, classes=self._classes(path))
        if self.classes:
            raise ConfigError(f"{path}: [scene] has classes, but no labels", "add [scene.labels]")
        return None

    def _classes(self, path: Path) -> tuple[LandCover, ...]:
        classes = []
        for position, (key, item) in enumerate(self.classes.items()):
            if not key.lstrip("-").isdigit():
                raise ConfigError(
                    f"{path}: scene.classes: '{key}' is no label id",
                    'write 1 = "soil", the id as in the raster',
                )
            given = item if isinstance(item, _Class) else _Class(item)
            classes.append(LandCover(int(key), given.name, given.color or color_of(position)))
        return tuple(classes)


def _folder(config: Path, name: str) -> Path:
    """A folder that a configuration names, from the file's own; "~" is the user's home."""
    try:
        return config.parent / Path(name).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{config}: {name}: this user has no home", "write the whole path") from error
