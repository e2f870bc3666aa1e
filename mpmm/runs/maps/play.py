"""Makes a map, alone or with the other ranks."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mpmm_kernels.runtime import available_threads, set_threads

from mpmm.display import Console, say
from mpmm.mapping import map_worker
from mpmm.messages import signal_words
from mpmm.runs.maps.chosen import maps_of
from mpmm.runs.maps.job import Job, MapOptions, check_outputs
from mpmm.runs.maps.target import ground
from mpmm.runs.maps.trained import Trained
from mpmm.runs.overrides import overridden
from mpmm.runs.process_group import ProcessGroup, process_group, use_threads
from mpmm.runs.reading import load_together


@dataclass(frozen=True)
class MapEnding:
    """How a map ended: its files, and the name of the signal that interrupted it, if one did."""

    files: tuple[Path, ...]
    interrupted: str | None


def make_map(run: Path, scene: Path | None, options: MapOptions, console: Console) -> MapEnding:
    """Map a scene into files, or go on with a map that was interrupted; rank 0 reads the run and writes.

    Parameters
    ----------
    run
        The run folder.
    scene
        The configuration of the scene to map; None: the run's own.
    options
        What to map, and how.
    console
        Where rank 0 shows its progress.

    Raises
    ------
    MpmmError
        Run, scene and options do not fit each other, before anything is computed; a file cannot be written.
    """
    config = None if scene is None else load_together(scene, partly=False)
    with process_group() as group:
        trained = _trained(group, run, options)
        maps = maps_of((trained.config if config is None else config).scenes, options)
        for source, own in maps if group.rank == 0 else ():
            check_outputs(own, trained.inputs(source, scene))
        screen = console if group.rank == 0 else Console(quiet=True)
        threads = _share_threads(group, trained, options)
        files: tuple[Path, ...] = ()
        for source, own in maps:
            grounded = ground(trained, source, own.target, screen, own.force_bands)
            ending = _mapped(Job.prepare(trained, grounded, own, threads[group.rank]), group, threads, screen)
            files += ending.files
            if ending.interrupted is not None:
                return MapEnding(files, ending.interrupted)
        return MapEnding(files, None)


def _mapped(job: Job, group: ProcessGroup, threads: list[int], screen: Console) -> MapEnding:
    """Make one map, this rank its part of it."""
    ranks = "" if group.alone else f" on {len(threads)} ranks"
    job.introduce(screen, " ".join(map(str, threads)) + ranks)
    if group.rank == 0:
        with group.interruptible():
            return _made(job, group, screen)
    job.warm_up(screen)
    with group.channel.moving():
        map_worker(group.channel, job.mapper, job.work.windows)
    return MapEnding((), None)


def _made(job: Job, group: ProcessGroup, console: Console) -> MapEnding:
    """Compute what is missing and write the files, on rank 0."""
    shutdown = group.shutdown
    with job.work.locked():
        with group.channel.moving():
            channel = None if group.alone else group.channel
            job.compute(console, lambda: bool(shutdown.reason or shutdown.finishing), channel)
        if job.work.missing():
            reason = shutdown.reason or shutdown.finishing
            say(console, "stopped", f"by {signal_words(reason)}; the same command goes on with the map")
            return MapEnding((), reason)
        return MapEnding(job.finish(console), None)


def _trained(group: ProcessGroup, run: Path, options: MapOptions) -> Trained:
    """What rank 0 reads in the run folder, on every rank."""
    trained = Trained.open(run, options.checkpoint) if group.rank == 0 else None
    config = group.collectives.broadcast_object(None if trained is None else trained.config, 0)
    own, parameters = (None, None) if trained is None else trained.packed()
    plain, arrays = group.collectives.broadcast(own, 0, parameters)
    assert config is not None, "rank 0 has read the run"
    return trained or Trained.of(run, config, plain, arrays)


def _share_threads(group: ProcessGroup, trained: Trained, options: MapOptions) -> list[int]:
    """The threads of every rank: the machine's cores, or as many threads, shared evenly by its ranks."""
    config = overridden(trained.config, threads=options.threads)
    if group.alone:
        return [use_threads(config)]
    cores = config.layout.threads or len(os.sched_getaffinity(0))
    seat = group.together.index(group.rank)
    share = cores // len(group.together) + (seat < cores % len(group.together))
    count = max(1, min(share, available_threads()))
    set_threads(count)
    return [int(number) for number in group.collectives.allgather(count)]
