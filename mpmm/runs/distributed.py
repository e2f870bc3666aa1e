"""Training over several ranks: a new run, or one that goes on."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from mpmm.display import Console, say, say_scene, say_split, telling
from mpmm.errors import RunError
from mpmm.preparation import Change, RankPreparation, keep, prepare_on_ranks, restore_on_ranks
from mpmm.results import Checkpoint, RunFolder, environment
from mpmm.runs.process_group import ProcessGroup, process_group
from mpmm.runs.rank_run import RankRun, StartPoint
from mpmm.runs.roles import play
from mpmm.scene import Scene
from mpmm.settings import Config


@dataclass(frozen=True)
class TrainOptions:
    """What the command line asked for.

    Attributes
    ----------
    name, path
        The run folder is `path`, or `runs/<name>-<date>-<n>` if that is None.
    source
        The TOML file's text, kept with the run.
    steps
        End after so many steps, even within an epoch.
    console, began
        Where progress goes; time since the epoch at which the program started.
    limited
        Whether the number of epochs was given too, so that an earlier limit of steps no longer counts.
    trace
        Whether a timeline is kept.
    """

    name: str
    path: Path | None
    source: str | None
    steps: int | None
    console: Console
    began: float
    limited: bool = False
    trace: bool = False


def train(config: Config, options: TrainOptions) -> int:
    """Train a new run together with the other ranks; the exit code."""
    with process_group(options.trace) as group, ExitStack() as stack:
        with telling(options.console) as tell:
            preparation = prepare_on_ranks(group.collectives, config, tell)
        threads = group.share_threads(preparation)
        folder = None
        if group.rank == preparation.layout.collector:
            folder = _new_folder(preparation, options)
            stack.enter_context(folder.held_out())
            _describe(folder, preparation, options, threads[group.rank])
        start = StartPoint(folder, None, options.steps, threads, options.console, options.began)
        return play(RankRun(group, preparation, start))


def go_on(path: Path, change: Change, scene: Scene | None, options: TrainOptions) -> int:
    """Go on with a run from its last checkpoint, on any layout and number of ranks; the exit code.

    Parameters
    ----------
    path
        The run folder, on the machine of the rank that keeps the run.
    change
        Puts new limits or another layout into the run's settings.
    scene
        Where the rasters lie on this rank's machine; None: where the run's settings say.
    wanted
        With the new limit of steps, if any.
    """
    with process_group(options.trace) as group, ExitStack() as stack:
        holders = group.collectives.allgather((path / "config.json").is_file())
        folder = RunFolder.open(path) if holders[group.rank] or True not in holders else None
        with telling(options.console) as tell:
            preparation = restore_on_ranks(
                group.collectives, folder, holders.index(True), change, scene, tell
            )
        writer = preparation.layout.collector
        if not holders[writer]:
            raise RunError(
                f"rank {writer} keeps the run, but has no folder {path}; rank {holders.index(True)} has",
                "copy it there, or choose a hostfile by which that rank is on its machine",
            )
        threads = group.share_threads(preparation)
        if group.rank == writer and folder is not None:
            stack.enter_context(folder.held_out())
        checkpoint = _told_checkpoint(group, folder, writer)
        if group.rank == writer and folder is not None:
            _say_going_on(folder, preparation, checkpoint, options, threads[group.rank])
        start = StartPoint(
            folder if group.rank == writer else None,
            checkpoint,
            options.steps if options.limited else options.steps or checkpoint.state["steps_limit"],
            threads,
            options.console,
            options.began,
        )
        return play(RankRun(group, preparation, start))


def _told_checkpoint(group: ProcessGroup, folder: RunFolder | None, writer: int) -> Checkpoint:
    """The last checkpoint, read by the rank that keeps the run."""
    plain: object = None
    arrays: dict[str, NDArray[Any]] = {}
    if group.rank == writer and folder is not None:
        read = folder.read_checkpoint("last")
        plain = dict(read.state)
        arrays = {
            f"{kind}/{name}": array for kind, named in read.arrays.items() for name, array in named.items()
        }
    state, arrays = group.collectives.broadcast(plain, writer, arrays)
    groups: dict[str, dict[str, NDArray[Any]]] = {}
    for key, array in arrays.items():
        kind, _, name = key.partition("/")
        groups.setdefault(kind, {})[name] = array
    return Checkpoint(groups, state)


def _say_going_on(
    folder: RunFolder,
    preparation: RankPreparation,
    checkpoint: Checkpoint,
    options: TrainOptions,
    threads: int,
) -> None:
    folder.write_config(preparation.prepared.config.as_json(), None)
    folder.write_part("environment", environment(threads))
    step = checkpoint.state["counters"]["step"]
    say(options.console, "run", f"{folder.path}, going on after step {step}")
    say_scene(options.console, preparation.prepared)


def _new_folder(preparation: RankPreparation, options: TrainOptions) -> RunFolder:
    if options.path is not None:
        return RunFolder.create(options.path)
    return RunFolder.new(Path("runs"), options.name, date.today())


def _describe(folder: RunFolder, preparation: RankPreparation, options: TrainOptions, threads: int) -> None:
    """Write and say what the run is."""
    assert preparation.split is not None, "a new run has drawn its split"
    keep(preparation.whole, preparation.split, folder)
    folder.write_part("environment", environment(threads))
    folder.write_config(preparation.prepared.config.as_json(), options.source)
    say(options.console, "run", str(folder.path))
    say_scene(options.console, preparation.prepared)
    say_split(options.console, preparation.prepared, preparation.split)
