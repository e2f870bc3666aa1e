"""Training over several ranks: a new run, or one that goes on."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rich.console import Console

from mpmm.commands import talk
from mpmm.commands.config import Config
from mpmm.commands.gathering import Gathered, gather
from mpmm.commands.party import join
from mpmm.commands.prepare import keep
from mpmm.commands.roles import Part, Start, play
from mpmm.results.environment import environment
from mpmm.results.folder import RunFolder


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
    """

    name: str
    path: Path | None
    source: str | None
    steps: int | None
    console: Console
    began: float


def train(config: Config, wanted: Wanted) -> int:
    """Train a new run together with the other ranks; the exit code."""
    with join() as party, ExitStack() as stack:
        with talk.telling(wanted.console) as tell:
            gathered = gather(party.meeting, config, tell)
        threads = party.share_threads(gathered)
        folder = None
        if party.rank == gathered.layout.collector:
            folder = _new_folder(gathered, wanted)
            stack.enter_context(folder.held())
            _describe(folder, gathered, wanted, threads[party.rank])
        start = Start(folder, None, wanted.steps, threads, wanted.console, wanted.began)
        return play(Part(party, gathered, start))


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
    talk.say(wanted.console, "run", str(folder.path))
    talk.say_scene(wanted.console, gathered.prepared)
    talk.say_split(wanted.console, gathered.prepared, gathered.split)
