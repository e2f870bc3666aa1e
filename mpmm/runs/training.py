"""A whole training run, new or from a checkpoint on, in one process or together with other ranks."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from mpmm.display import Console, say, say_scene, say_split, telling
from mpmm.errors import NetworkError, RunError
from mpmm.network import NetworkSpec
from mpmm.placement import Layout
from mpmm.preparation import (
    RankPreparation,
    Restoration,
    check_rows,
    keep,
    keep_records,
    prepare_on_ranks,
    restore_on_ranks,
)
from mpmm.results import Checkpoint, RunFolder, environment, refuse_inputs
from mpmm.runs.accounting import watch_from_here
from mpmm.runs.observers import check_endpoint, check_libraries
from mpmm.runs.overrides import Overrides, check_layout, overridden
from mpmm.runs.process_group import ProcessGroup, process_group
from mpmm.runs.processors import compare_processors
from mpmm.runs.rank_run import RankRun, StartPoint, broadcast_checkpoint, find_run
from mpmm.runs.reading import load_run_together
from mpmm.runs.roles import play
from mpmm.runs.run import Run
from mpmm.scene import Scene
from mpmm.settings import Config


def quiet() -> Console:
    """A console that shows nothing."""
    return Console(quiet=True)


@dataclass(frozen=True)
class TrainOptions:
    """What is shown and kept while a run is trained; nothing that its result depends on.

    Attributes
    ----------
    trace
        Whether a timeline of all ranks is kept.
    console
        Where progress goes; by default nowhere.
    began
        Time since the epoch from which the time to the first step counts; now by default.
    """

    trace: bool = False
    console: Console = field(default_factory=quiet)
    began: float = field(default_factory=time.time)


@dataclass(frozen=True)
class NewRun:
    """What a new run is called, and what it was asked for besides its settings.

    Attributes
    ----------
    name, path
        The run folder is `path`, or `runs/<name>-<date>-<n>` if that is None.
    source
        The TOML file's text, kept with the run.
    steps
        End after so many steps, even within an epoch.
    expected
        The network that must come out, if it was described elsewhere.
    """

    name: str
    path: Path | None = None
    source: str | None = None
    steps: int | None = None
    expected: NetworkSpec | None = None


@dataclass(frozen=True)
class TrainResult:
    """How training ended: the run, and the name of the signal that interrupted it, if one did."""

    run: Run
    interrupted: str | None


def train(config: Config, new: NewRun, options: TrainOptions | None = None) -> TrainResult:
    """Train a new run, together with the other ranks where mpirun has started some.

    Parameters
    ----------
    config
        All settings; among ranks those of rank 0 count, but each rank's own scene.
    new
        What the run is called.
    options
        What is shown and kept meanwhile.

    Raises
    ------
    MpmmError
        Scene, patches, network and layout do not fit each other, before anything is written; or the loss
        became infinite. Among ranks the error ends all of them, told once.
    """
    options = options or TrainOptions()
    _checked(config)
    with process_group(options.trace) as group, ExitStack() as stack:
        if group.alone:
            # before any work
            _check_folder(config, new)
        check_endpoint(group, config.training)
        mixed = compare_processors(group.collectives)
        with telling(options.console) as report:
            preparation = prepare_on_ranks(
                group.collectives, config, report, partial(_check_on_recorder, group, config, new)
            )
        _check_expected(preparation.prepared.spec, new.expected)
        _check_plateau(preparation)
        threads = group.share_threads(preparation)
        folder, recording_rank = None, preparation.layout.collector
        check_endpoint(group, preparation.prepared.config.training, recording_rank)
        if group.rank == recording_rank:
            folder = _new_folder(new)
            stack.enter_context(folder.locked())
        # first, for the others go on meanwhile
        watch_from_here(group, recording_rank, folder)
        if folder is not None:
            _describe(folder, preparation, new, options)
            _keep_environment(folder, options.console, mixed, threads[group.rank])
        start = StartPoint(folder, None, new.steps, threads, options.console, options.began)
        return _result(RankRun(group, preparation, start))


def go_on(
    path: Path,
    options: TrainOptions | None = None,
    *,
    scenes: tuple[Scene, ...] = (),
    **given: Unpack[Overrides],
) -> TrainResult:
    """Go on with a run from its last checkpoint; it ends as if it had never been interrupted.

    Parameters
    ----------
    path
        The run folder, on the machine of the rank that records the run.
    options
        What is shown and kept meanwhile.
    scenes
        Where the rasters lie on this rank's machine; none: where the run's settings say.
    **given
        New limits, without which the run ends where it was started to end; or a layout and threads, which
        change nothing but the speed. See `Overrides`.

    Raises
    ------
    MpmmError
        The run folder is missing or damaged, or the scene is not the run's.
    """
    options = options or TrainOptions()
    own = load_run_together(path)
    with process_group(options.trace) as group, ExitStack() as stack:
        mixed = compare_processors(group.collectives)
        folder, source = find_run(group, path)
        if folder is not None and own is not None:
            _check_written(folder, own, scenes)
        restoration = Restoration(source, lambda config: _checked(overridden(config, **given)), scenes)
        with telling(options.console) as report:
            preparation = restore_on_ranks(group.collectives, folder, restoration, report)
        check_rows(folder, preparation.prepared)
        recording_rank = preparation.layout.collector
        _check_recording(group, folder, path, recording_rank)
        check_endpoint(group, preparation.prepared.config.training, recording_rank)
        folder = folder if group.rank == recording_rank else None
        threads = group.share_threads(preparation)
        if folder is not None:
            stack.enter_context(folder.locked())
        checkpoint = broadcast_checkpoint(group, folder, recording_rank)
        steps = _steps_limit(checkpoint, given)
        start = StartPoint(folder, checkpoint, steps, threads, options.console, options.began)
        watch_from_here(group, recording_rank, folder)
        if folder is not None:
            _say_going_on(folder, preparation, start)
            _keep_environment(folder, options.console, mixed, threads[group.rank])
        return _result(RankRun(group, preparation, start))


def _checked(config: Config) -> Config:
    """The configuration itself; refused is what this process cannot do, whatever the scene is."""
    return check_libraries(check_layout(config))


def _check_written(folder: RunFolder, own: Config, scenes: tuple[Scene, ...]) -> None:
    """Refuse to go on where a file of the run is one that its scenes are read from."""
    here = own.with_scenes(scenes) if scenes else own
    refuse_inputs(folder.written_files(), here.read_files(), of_run=True)


def _steps_limit(checkpoint: Checkpoint, given: Overrides) -> int | None:
    """After how many steps a run that goes on ends: as it was started, unless it gets a new limit."""
    if given.get("steps") is not None or given.get("epochs") is not None:
        return given.get("steps")
    steps: int | None = checkpoint.state["steps_limit"]
    return steps


def _check_recording(group: ProcessGroup, folder: RunFolder | None, path: Path, recording_rank: int) -> None:
    """Refuse to go on where the rank that records the run has no folder."""
    holders = group.collectives.allgather(folder is not None)
    if not holders[recording_rank]:
        raise RunError(
            f"rank {recording_rank} records the run, but has no folder {path}; "
            f"rank {holders.index(True)} has",
            "copy it there, or choose a hostfile by which that rank is on its machine",
        )


def _say_going_on(folder: RunFolder, preparation: RankPreparation, start: StartPoint) -> None:
    """Keep the changed settings, and say where the run goes on."""
    folder.write_config(preparation.prepared.config.as_json(), None)
    say(start.console, "run", f"{folder.path}, going on after step {start.counters.step}")
    _say_choice(start.console, preparation)
    say_scene(start.console, preparation.prepared)


def _check_folder(config: Config, new: NewRun) -> None:
    """Refuse a folder that cannot be the new run's: one that holds files, or lies in what is read."""
    if new.path is None:
        return
    try:
        RunFolder.check_new(new.path)
    except RunError:
        # rather in words that name what is read there
        refuse_inputs([new.path], config.read_files())
        raise
    # other ranks wait: what only rasters tell of are files, of which a folder to be made is none
    refuse_inputs([new.path], config.named_files())


def _check_on_recorder(group: ProcessGroup, config: Config, new: NewRun, layout: Layout) -> None:
    """Refuse a folder on the rank that is going to write it: on another machine it may be another's own."""
    if not group.alone and group.rank == layout.collector:
        _check_folder(config, new)


def _new_folder(new: NewRun) -> RunFolder:
    if new.path is not None:
        return RunFolder.create(new.path)
    return RunFolder.new(Path("runs"), new.name, date.today())


def _describe(folder: RunFolder, preparation: RankPreparation, new: NewRun, options: TrainOptions) -> None:
    """Write and say what the run is."""
    assert preparation.split is not None, "a new run has drawn its split"
    keep(preparation.whole, preparation.split, folder)
    keep_records(preparation.records, folder)
    folder.write_config(preparation.prepared.config.as_json(), new.source)
    say(options.console, "run", str(folder.path))
    _say_choice(options.console, preparation)
    say_scene(options.console, preparation.prepared)
    say_split(options.console, preparation.prepared, preparation.split)


def _keep_environment(folder: RunFolder, console: Console, mixed: str | None, threads: int) -> None:
    """Keep on what a run is trained, and say where ranks have different processors."""
    if mixed:
        say(console, "processors", mixed)
    folder.write_part("environment", environment(threads))


def _say_choice(console: Console, preparation: RankPreparation) -> None:
    """Say why this layout, where it was found by search."""
    if preparation.choice is not None:
        for label, reason in zip(("layout auto", *[""] * 4), preparation.choice.reasons, strict=True):
            say(console, label, reason)


def _check_expected(spec: NetworkSpec, expected: NetworkSpec | None) -> None:
    """Refuse a network described beforehand that does not fit the scene it is trained on."""
    if expected is None or spec == expected:
        return
    given, described = (
        f"{each.classes} classes, "
        + ", ".join(f"{stream.name} {stream.bands} bands of {stream.size} pixels" for stream in each.streams)
        for each in (spec, expected)
    )
    raise NetworkError(
        f"the network is for {described}; the scene gives {given}", "describe it for this scene"
    )


def _check_plateau(preparation: RankPreparation) -> None:
    """Refuse a rate that would wait for a validation which there is not."""
    prepared = preparation.prepared
    if prepared.config.training.plateau is not None and not len(prepared.parts["validation"]):
        raise RunError(
            'training.schedule = "plateau" waits for the validation loss, but no patch is for validation',
            "give validation a share of the patches (patches.shares), or take another schedule",
        )


def _result(rank_run: RankRun) -> TrainResult:
    """Play this rank's part; the run on the ranks that reach its folder, once all of it is written."""
    interrupted, folder = play(rank_run), rank_run.start.folder
    plain: Mapping[str, Any] | None = None
    if folder is not None:
        sha256 = folder.read_part("run")["parameters_sha256"]
        plain = {"path": str(folder.path.resolve()), "sha256": sha256, "host": os.uname().nodename}
        plain = {**plain, "interrupted": interrupted}
    plain, _ = rank_run.group.collectives.broadcast(plain, rank_run.recording_rank)
    assert plain is not None, "the recording rank has the run folder"
    if folder is not None:
        return TrainResult(Run(folder, rank_run.prepared if rank_run.group.alone else None), interrupted)
    run = Run.recorded_by(rank_run.recording_rank, plain["host"], Path(plain["path"]), plain["sha256"])
    return TrainResult(run, plain["interrupted"])
