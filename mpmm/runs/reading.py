"""Reads a run's configuration once on each machine, for all ranks that start there together."""

from __future__ import annotations

import os
from pathlib import Path

from mpmm.errors import MpmmError
from mpmm.messages import Channel, Collectives, end_together, launched_ranks, world
from mpmm.settings import Config, load_config


def load_together(path: Path) -> Config:
    """Read a TOML configuration, among ranks on the first of each machine that names this file.

    To be called by all ranks together. Among ranks each may have the files of its own modalities only.

    Raises
    ------
    ConfigError
        As `mpmm.settings.load_config` says, on every rank of the machine that names the file.
    """
    if launched_ranks() == 1:
        return load_config(path)
    communicator = world()
    with end_together(communicator):
        outcome = _given(Collectives(Channel(communicator)), path)
    if isinstance(outcome, MpmmError):
        raise outcome
    return outcome


def _given(collectives: Collectives, path: Path) -> Config | MpmmError:
    """What the first rank of this machine that names the file comes to when it reads it."""
    named = collectives.allgather([os.uname().nodename, str(path.absolute())])
    readers = [named.index(name) for name in named]
    mine = _read(path) if readers[collectives.rank] == collectives.rank else None
    read = {reader: collectives.broadcast_object(mine, reader) for reader in sorted(set(readers))}
    outcome = read[readers[collectives.rank]]
    assert outcome is not None
    return outcome


def _read(path: Path) -> Config | MpmmError:
    """A configuration, or the error that reading it comes to."""
    try:
        return load_config(path, partly=True)
    except MpmmError as error:
        return error
