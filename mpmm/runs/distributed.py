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
from mpmm.preparation import Change, Gathered, gather, gather_again, keep
from mpmm.results import Checkpoint, RunFolder, environment
from mpmm.runs.process_group import Party, join
from mpmm.runs.rank_run import Part, Start
from mpmm.runs.roles import play
from mpmm.scene import Scene
from mpmm.settings import Config


@dataclass(frozen=True)
class Wanted:
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


def train(config: Config, wanted: Wanted) -> int:
    """Train a new run together with the other ranks; the exit code."""
    with join(wanted.trace) as party, ExitStack() as stack:
        with telling(wanted.console) as tell:
            gathered = gather(party.meeting, config, tell)
        threads = party.share_threads(gathered)
        folder = None
        if party.rank == gathered.layout.collector:
            folder = _new_folder(gathered, wanted)
            stack.enter_context(folder.held())
            _describe(folder, gathered, wanted, threads[party.rank])
        start = Start(folder, None, wanted.steps, threads, wanted.console, wanted.began)
        return play(Part(party, gathered, start))


def go_on(path: Path, change: Change, scene: Scene | None, wanted: Wanted) -> int:
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
    with join(wanted.trace) as party, ExitStack() as stack:
        holders = party.meeting.exchange((path / "config.json").is_file())
        folder = RunFolder.open(path) if holders[party.rank] or True not in holders else None
        with telling(wanted.console) as tell:
            gathered = gather_again(party.meeting, folder, holders.index(True), change, scene, tell)
        keeper = gathered.layout.collector
        if not holders[keeper]:
            raise RunError(
                f"rank {keeper} keeps the run, but has no folder {path}; rank {holders.index(True)} has",
                "copy it there, or choose a hostfile by which that rank is on its machine",
            )
        threads = party.share_threads(gathered)
        if party.rank == keeper and folder is not None:
            stack.enter_context(folder.held())
        checkpoint = _told_checkpoint(party, folder, keeper)
        if party.rank == keeper and folder is not None:
            _say_going_on(folder, gathered, checkpoint, wanted, threads[party.rank])
        start = Start(
            folder if party.rank == keeper else None,
            checkpoint,
            wanted.steps if wanted.limited else wanted.steps or checkpoint.state["steps_limit"],
            threads,
            wanted.console,
            wanted.began,
        )
        return play(Part(party, gathered, start))


def _told_checkpoint(party: Party, folder: RunFolder | None, keeper: int) -> Checkpoint:
    """The last checkpoint, read by the rank that keeps the run."""
    plain: object = None
    arrays: dict[str, NDArray[Any]] = {}
    if party.rank == keeper and folder is not None:
        read = folder.read_checkpoint("last")
        plain = dict(read.state)
        arrays = {
            f"{group}/{name}": one for group, named in read.arrays.items() for name, one in named.items()
        }
    state, arrays = party.meeting.tell(plain, keeper, arrays)
    groups: dict[str, dict[str, NDArray[Any]]] = {}
    for key, array in arrays.items():
        group, _, name = key.partition("/")
        groups.setdefault(group, {})[name] = array
    return Checkpoint(groups, state)


def _say_going_on(
    folder: RunFolder, gathered: Gathered, checkpoint: Checkpoint, wanted: Wanted, threads: int
) -> None:
    folder.write_config(gathered.prepared.config.as_json(), None)
    folder.write_part("environment", environment(threads))
    step = checkpoint.state["counters"]["step"]
    say(wanted.console, "run", f"{folder.path}, going on after step {step}")
    say_scene(wanted.console, gathered.prepared)


def _new_folder(gathered: Gathered, wanted: Wanted) -> RunFolder:
    if wanted.path is not None:
        return RunFolder.create(wanted.path)
    return RunFolder.new(Path("runs"), wanted.name, date.today())


def _describe(folder: RunFolder, gathered: Gathered, wanted: Wanted, threads: int) -> None:
    """Write and say what the run is."""
    assert gathered.split is not None, "a new run has drawn its split"
    keep(gathered.whole, gathered.split, folder)
    folder.write_part("environment", environment(threads))
    folder.write_config(gathered.prepared.config.as_json(), wanted.source)
    say(wanted.console, "run", str(folder.path))
    say_scene(wanted.console, gathered.prepared)
    say_split(wanted.console, gathered.prepared, gathered.split)
