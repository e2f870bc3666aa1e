"""A whole training run in this process: prepare, train, record, sum up; new or from a checkpoint on."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Literal

from mpmm_kernels.runtime import available_threads, set_threads

from mpmm.display import Console, say, say_scene, say_split, telling
from mpmm.errors import ConfigError, LayoutError, NetworkError, RunError
from mpmm.messages import launched_ranks
from mpmm.network import NetworkSpec
from mpmm.preparation import Prepared, keep, prepare, restore
from mpmm.ranks import Counters
from mpmm.results import Checkpoint, RunFolder, environment
from mpmm.runs import single
from mpmm.runs.session import Session, TrainResult
from mpmm.settings import Config

LayoutName = Literal["auto", "single", "baseline", "optimized", "data"]


def train(
    config: Config,
    *,
    name: str,
    path: Path | None = None,
    source: str | None = None,
    steps: int | None = None,
    expected: NetworkSpec | None = None,
    console: Console | None = None,
    began: float | None = None,
) -> TrainResult:
    """Train a new run.

    Parameters
    ----------
    config
        All settings.
    name, path
        The run folder is `path`, or `runs/<name>-<date>-<n>` if that is None.
    source
        The TOML file's text, kept with the run.
    steps
        End after so many steps, even within an epoch.
    expected
        The network that must come out, if it was described elsewhere.
    console
        Where progress goes; None: nowhere.
    began
        Time since the epoch from which the time to the first step counts; now by default.
    """
    began = time.time() if began is None else began
    screen = console or Console(quiet=True)
    check_layout(config)
    threads = use_threads(config)
    with telling(screen) as tell:
        prepared, split = prepare(config, tell)
    _check_expected(prepared.spec, expected)
    process = single.assemble(prepared, Counters())
    folder = RunFolder.new(Path("runs"), name, date.today()) if path is None else RunFolder.create(path)
    with folder.held_out():
        keep(prepared, split, folder)
        folder.write_part("environment", environment(threads))
        folder.write_config(config.as_json(), source)
        say(screen, "run", str(folder.path))
        say_scene(screen, prepared)
        say_split(screen, prepared, split)
        return Session(folder, prepared, process, threads, steps, screen, began).play(None)


def go_on(
    path: Path,
    *,
    steps: int | None = None,
    epochs: int | None = None,
    layout: LayoutName | None = None,
    threads: int | None = None,
    console: Console | None = None,
    began: float | None = None,
) -> TrainResult:
    """Go on with a run from its last checkpoint; it ends as if it had never been interrupted.

    Parameters
    ----------
    path
        The run folder.
    steps, epochs
        New limits; without either the ones it was started with.
    layout, threads
        New ones, which change nothing but the speed.
    console, began
        As in `train`.
    """
    began = time.time() if began is None else began
    screen = console or Console(quiet=True)
    folder = RunFolder.open(path)
    with folder.held_out():
        checkpoint = folder.read_checkpoint("last")
        with telling(screen) as tell:
            prepared = restore(folder, tell)
        config = overridden(prepared.config, layout=layout, epochs=epochs, threads=threads)
        check_layout(config)
        used = use_threads(config)
        prepared = _changed(prepared, folder, config)
        process = single.assemble(prepared, _counters(folder, checkpoint))
        single.load(process, checkpoint)
        folder.write_part("environment", environment(used))
        if steps is None and epochs is None:
            steps = checkpoint.state["steps_limit"]
        say(screen, "run", f"{folder.path}, going on after step {process.counters.step}")
        say_scene(screen, prepared)
        return Session(folder, prepared, process, used, steps, screen, began).play(checkpoint)


def overridden(
    config: Config,
    *,
    layout: LayoutName | None = None,
    epochs: int | None = None,
    threads: int | None = None,
    seed: int | None = None,
) -> Config:
    """The configuration with what was given on the command line put in."""
    training, layouts = config.training, config.layout
    if epochs is not None:
        training = replace(training, epochs=epochs)
    if seed is not None:
        training = replace(training, seed=seed)
    if layout is not None:
        layouts = replace(layouts, name=layout, ranks={})
    if threads is not None:
        layouts = replace(layouts, threads=threads)
    return replace(config, training=training, layout=layouts)


def check_layout(config: Config) -> None:
    """Refuse what one process cannot train."""
    ranks = launched_ranks()
    if ranks > 1:
        raise LayoutError(
            f"mpirun started {ranks} ranks, mpmm.fit trains in one process",
            "run `mpmm train` under mpirun, or this program without it",
        )
    if config.layout.ranks or config.layout.name not in ("auto", "single"):
        asked = "ranks of its own" if config.layout.ranks else repr(config.layout.name)
        raise LayoutError(f"layout {asked} needs several ranks, this is one process", "use --layout single")


def _check_expected(spec: NetworkSpec, expected: NetworkSpec | None) -> None:
    """A network described beforehand fits the scene it is trained on."""
    if expected is None or spec == expected:
        return
    found, wanted = (
        f"{one.classes} classes, "
        + ", ".join(f"{s.name} {s.bands} bands of {s.size} pixels" for s in one.streams)
        for one in (spec, expected)
    )
    raise NetworkError(f"the network is for {wanted}; the scene gives {found}", "describe it for this scene")


def use_threads(config: Config) -> int:
    """Compute with the threads asked for, all cores by default."""
    count = config.layout.threads or available_threads()
    try:
        set_threads(count)
    except ValueError as error:
        raise ConfigError(str(error), "give fewer with --threads") from error
    return count


def _changed(prepared: Prepared, folder: RunFolder, config: Config) -> Prepared:
    """The run with new settings, which its folder remembers."""
    if config != prepared.config:
        folder.write_config(config.as_json(), None)
    return replace(prepared, config=config)


def _counters(folder: RunFolder, checkpoint: Checkpoint) -> Counters:
    try:
        return Counters.from_dict(checkpoint.state["counters"])
    except (KeyError, TypeError) as error:
        path = folder.checkpoint_path("last")
        raise RunError(f"{path}: its state lacks {error}", "it was not written by mpmm train") from error
