"""Reads a run's configuration once on each machine, for all ranks that start there together."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from mpmm.errors import MpmmError
from mpmm.messages import Channel, Collectives, end_together, launched_rank, launched_ranks, world
from mpmm.results import RunFolder
from mpmm.runs.run import Run
from mpmm.settings import Config, load_config

T = TypeVar("T")
# loaded by every rank's first step
MEANWHILE = ("mpmm_kernels.convolution.methods", "multiprocessing.util", "numpy.ma")


def load_together(path: Path, partly: bool = True) -> Config:
    """Read a TOML configuration, among ranks on the first of each machine that names this file.

    To be called by all ranks together. Among ranks each may have the files of its own modalities only,
    unless ``partly`` says no.

    Raises
    ------
    ConfigError
        As `mpmm.settings.load_config` says, on every rank of the machine that names the file.
    """
    return _read_together(path, partial(load_config, partly=partly and launched_ranks() > 1))


def load_run_together(path: Path) -> Config | None:
    """Read the settings of a run folder likewise; None on a machine that has no such run.

    Raises
    ------
    MpmmError
        The folder is damaged, on every rank of the machine that names it.
    """
    return _read_together(path, _settings_of_run)


def _settings_of_run(path: Path) -> Config | None:
    return Run(RunFolder.open(path)).config_ if (path / "config.json").is_file() else None


def _read_together(path: Path, read: Callable[[Path], T]) -> T:
    """What the first rank of this machine that names a path reads there, or its error."""
    if launched_ranks() == 1:
        return read(path)
    early: T | MpmmError | None = None
    if launched_rank() == 0:
        # it reads in any case, and need not wait until all have met
        early = _outcome(path, read)
    else:
        _load_meanwhile()
    communicator = world()
    with end_together(communicator):
        outcome = _given(Collectives(Channel(communicator)), path, read, early)
    if isinstance(outcome, MpmmError):
        raise outcome
    return outcome


def _given(
    collectives: Collectives, path: Path, read: Callable[[Path], T], early: T | MpmmError | None
) -> T | MpmmError:
    """What the first rank of this machine that names the path comes to when it reads there."""
    named = collectives.allgather([os.uname().nodename, str(path.absolute())])
    readers = [named.index(name) for name in named]
    mine = early
    if readers[collectives.rank] == collectives.rank != 0:
        mine = _outcome(path, read)
    outcomes = {reader: collectives.broadcast_object(mine, reader) for reader in sorted(set(readers))}
    # what a machine's own reader came to; None only where that is what it read
    return cast(T | MpmmError, outcomes[readers[collectives.rank]])


def _load_meanwhile() -> None:
    """Load what comes with a rank's first step, while the first rank reads."""
    for name in MEANWHILE:
        importlib.import_module(name)


def _outcome(path: Path, read: Callable[[Path], T]) -> T | MpmmError:
    """What stands there, or the error that reading it comes to."""
    try:
        return read(path)
    except MpmmError as error:
        return error
