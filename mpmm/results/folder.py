"""The run folder: everything a run leaves behind, and everything it needs to be scored or to go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Literal, get_args

from mpmm_kernels.runtime import HeldElsewhere, at_once

from mpmm.errors import RunError
from mpmm.results.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from mpmm.results.files import read_json, unwritable, write_json, write_whole
from mpmm.scene import LandCover

CheckpointName = Literal["best", "last"]
# files that commands read of a run folder, and those that going on with a run writes anew
_READ = (
    "config.json",
    "config.toml",
    "classes.json",
    "normalization.json",
    "split.csv",
    "split.json",
    "scenes.json",
    "bands.json",
)
_WRITTEN = ("environment.json", "layout.json", "run.json", "metrics.jsonl", "metrics.csv", "trace.json")


class RunFolder:
    """A folder with fixed names in it; see `docs/runs.md` for the list.

    Parameters
    ----------
    path
        The folder. Use `create` for a new one and `open` for one that `create` made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    def check_new(path: Path) -> None:
        """Refuse a new run's folder that already holds something: a run is never overwritten."""
        there = next(part for part in (path, *path.absolute().parents) if part.exists())
        if not there.is_dir():
            raise RunError(f"{there}: is a file, a run needs a folder", "choose another name with --run")
        if path.is_dir() and any(path.iterdir()):
            raise RunError(
                f"{path}: already holds files, a new run would overwrite them",
                f"go on with it by `mpmm train --resume {path}`, or choose another folder with --run",
            )

    @classmethod
    def create(cls, path: Path) -> RunFolder:
        """Make a new run folder; one that already holds something is refused."""
        cls.check_new(path)
        try:
            (path / "checkpoints").mkdir(parents=True)
        except OSError as error:
            raise unwritable(path, error) from error
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Take a run folder that `create` made, now or long ago."""
        if not (path / "config.json").is_file():
            reason = "no such folder" if not path.exists() else "no config.json in it, so no run folder"
            raise RunError(f"{path}: {reason}", "give the folder that `mpmm train` printed")
        return cls(path)

    @classmethod
    def new(cls, parent: Path, name: str, today: date) -> RunFolder:
        """Make `parent/<name>-<date>-<n>` with the first n that is free."""
        number = 1
        while (path := parent / f"{name}-{today.isoformat()}-{number}").exists():
            number += 1
        return cls.create(path)

    def read_files(self) -> tuple[Path, ...]:
        """Files that going on with the run, scoring it or mapping with it reads."""
        return (*(self.path / name for name in ("baselines.json", *_READ)), *self.written_files())

    def written_files(self) -> tuple[Path, ...]:
        """Files that going on with the run writes anew."""
        checkpoints = (self.checkpoint_path(name) for name in get_args(CheckpointName))
        return (*(self.path / name for name in ("config.json", *_WRITTEN)), *checkpoints)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep the run to this process; the lock goes with the process, however that ends."""
        with ExitStack() as stack:
            try:
                stack.enter_context(at_once(self.path / ".lock"))
            except HeldElsewhere as error:
                raise RunError(
                    f"{self.path}: {error} is training this run", "wait for it or stop it first"
                ) from error
            except OSError as error:
                raise unwritable(self.path, error) from error
            yield

    def checkpoint_path(self, name: CheckpointName) -> Path:
        """File of the checkpoint `best` or `last`."""
        return self.path / "checkpoints" / f"{name}.safetensors"

    def write_checkpoint(self, name: CheckpointName, checkpoint: Checkpoint) -> Path:
        """Replace one checkpoint, whole or not at all."""
        path = self.checkpoint_path(name)
        write_checkpoint(path, checkpoint)
        return path

    def read_checkpoint(self, name: CheckpointName) -> Checkpoint:
        """Read one checkpoint; a missing or damaged one is a RunError."""
        path = self.checkpoint_path(name)
        if name == "best" and not path.exists() and self.checkpoint_path("last").exists():
            raise RunError(
                f"{path}: no epoch has been finished yet, so none is the best", "take --checkpoint last"
            )
        return read_checkpoint(path)

    def write_config(self, settings: str, source: str | None) -> None:
        """Keep the settings as used (JSON), and the TOML file they came from, if any, as it was."""
        if source is not None:
            write_whole(self.path / "config.toml", source.encode())
        write_whole(self.path / "config.json", settings.encode())

    def write_part(self, name: str, content: Mapping[str, object]) -> None:
        """Write `<name>.json`, one of: run, normalization, classes, environment, ..."""
        write_json(self.path / f"{name}.json", content)

    def read_part(self, name: str) -> dict[str, Any]:
        """Read what `write_part` wrote to `<name>.json`."""
        return read_json(self.path / f"{name}.json")

    def write_classes(self, classes: Sequence[LandCover]) -> None:
        """Keep ids, names and colours; the position in this list is the network's output."""
        listed = [{"id": cover.id, "name": cover.name, "color": cover.color} for cover in classes]
        self.write_part("classes", {"classes": listed})

    def read_classes(self) -> tuple[LandCover, ...]:
        """Classes in the order of the network's outputs."""
        content = self.read_part("classes")
        try:
            return tuple(
                LandCover(entry["id"], entry["name"], entry["color"]) for entry in content["classes"]
            )
        except (KeyError, TypeError) as error:
            path = self.path / "classes.json"
            raise RunError(f"{path}: {error} is missing or wrong", "restore the file from a copy") from error
