"""Makes a map: alone, or with other ranks."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from mpmm_kernels.runtime import available_threads, set_threads

from mpmm.display import Console, say
from mpmm.mapping import map_worker
from mpmm.messages import Channel
from mpmm.runs.interrupt import Interrupt
from mpmm.runs.maps.job import Job, MapOptions, check_outputs
from mpmm.runs.maps.target import ground
from mpmm.runs.maps.trained import Trained
from mpmm.runs.process_group import ProcessGroup, process_group
from mpmm.runs.training import overridden, use_threads
from mpmm.scene import Scene
from mpmm.settings import load_config


@dataclass(frozen=True)
class MapEnding:
    """How a map ended: its files, and the name of the signal that interrupted it, if one did."""

    files: tuple[Path, ...]
    interrupted: str | None


def map_alone(trained: Trained, scene: Scene, options: MapOptions, console: Console) -> MapEnding:
    """Map a scene into files, or go on with a map that was interrupted.

    Raises
    ------
    MpmmError
        Run, scene and options do not fit each other, before anything is computed; a file cannot be written.
    """
    check_outputs(options)
    threads = use_threads(overridden(trained.config, threads=options.threads))
    job = Job.prepare(trained, ground(trained, scene, options.place, console), options, threads)
    job.introduce(console, f"{threads}")
    with Interrupt() as interrupt:
        return _made(job, console, lambda: interrupt.requested or "", None)


def map_together(run: Path, scene: Path | None, options: MapOptions, console: Console) -> MapEnding:
    """The same with all ranks; rank 0 reads the run, deals windows out and writes the files."""
    with process_group() as group:
        if group.rank == 0:
            check_outputs(options)
        trained = _told(group, run, options)
        source = trained.config.scene if scene is None else load_config(scene).scene
        screen = console if group.rank == 0 else Console(quiet=True)
        threads = _share(group, options.threads or trained.config.layout.threads)
        job = Job.prepare(
            trained, ground(trained, source, options.place, screen), options, threads[group.rank]
        )
        job.introduce(screen, " ".join(map(str, threads)) + f" on {len(threads)} ranks")
        if group.rank == 0:
            return _made(
                job, console, lambda: group.shutdown.reason or group.shutdown.finishing, group.channel
            )
        job.warm_up(screen)
        with group.channel.moving():
            map_worker(group.channel, job.mapper, job.work.windows)
        return MapEnding((), None)


def _made(job: Job, console: Console, reason: Callable[[], str], channel: Channel | None) -> MapEnding:
    """Compute what is missing and write the files, on the only rank or rank 0."""
    moving = nullcontext() if channel is None else channel.moving()
    with job.work.locked():
        with moving:
            job.compute(console, lambda: bool(reason()), channel)
        if job.work.missing():
            say(console, "stopped", f"by {reason()}; the same command goes on with the map")
            return MapEnding((), reason())
        return MapEnding(job.finish(console), None)


def _told(group: ProcessGroup, run: Path, options: MapOptions) -> Trained:
    """What rank 0 reads in the run folder, on every rank."""
    if group.rank == 0:
        trained = Trained.open(run, options.checkpoint)
        plain, arrays = trained.told()
        group.collectives.broadcast(plain, 0, arrays)
        return trained
    plain, arrays = group.collectives.broadcast(None, 0)
    return Trained.of(run, plain, arrays)


def _share(group: ProcessGroup, threads: int | None) -> list[int]:
    """The threads of every rank: the machine's cores, or as many threads, shared evenly by its ranks."""
    cores = threads or len(os.sched_getaffinity(0))
    place = group.together.index(group.rank)
    mine = cores // len(group.together) + (place < cores % len(group.together))
    count = max(1, min(mine, available_threads()))
    set_threads(count)
    return [int(one) for one in group.collectives.allgather(count)]
