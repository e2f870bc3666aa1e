"""Who else is told a run's figures besides its log: TensorBoard's files, Prometheus; each by choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Any, Protocol

from mpmm.errors import ConfigError
from mpmm.results import Endpoint, EventFiles, MetricsLog, RunFolder, check_port
from mpmm.runs.process_group import ProcessGroup
from mpmm.settings import Config, TrainingConfig


class Observer(Protocol):
    """Takes the entries that the log takes."""

    def step(self, entry: Mapping[str, object]) -> None:
        """Take what one training step measured."""

    def epoch(self, entry: Mapping[str, object]) -> None:
        """Take what one epoch and its validation measured."""

    def flush(self) -> None:
        """Bring what was taken to the disk."""


class ObservedLog:
    """The log of a run, whose entries observers take too.

    Parameters
    ----------
    log
        Written first: it counts.
    observers
        Told afterwards.
    """

    def __init__(self, log: MetricsLog, observers: Sequence[Observer]) -> None:
        self._log = log
        self._all: tuple[Observer, ...] = (log, *observers)

    @property
    def lines(self) -> int:
        """How many lines the log has."""
        return self._log.lines

    @property
    def latest_epoch(self) -> Mapping[str, Any]:
        """What the log holds of the latest epoch; nothing before the first has ended."""
        return self._log.latest_epoch

    def step(self, entry: Mapping[str, object]) -> None:
        """Write what one training step measured, and tell it."""
        for each in self._all:
            each.step(entry)

    def epoch(self, entry: Mapping[str, object]) -> None:
        """Write what one epoch and its validation measured, and tell it."""
        for each in self._all:
            each.epoch(entry)

    def flush(self) -> None:
        """Bring everything to the disk: called before a checkpoint."""
        for each in self._all:
            each.flush()


def check_libraries(config: Config) -> Config:
    """The configuration itself; refused are observers whose optional libraries are not installed.

    Raises
    ------
    ConfigError
        Naming the key and the library.
    """
    training = config.training
    for key, library, enabled in (
        ("tensorboard", "tensorboardX", training.tensorboard),
        ("prometheus", "prometheus_client", training.prometheus is not None),
    ):
        if enabled and find_spec(library) is None:
            raise ConfigError(
                f"[training] {key} needs the library {library}, which is not installed",
                f"pip install {library}, or leave {key} out",
            )
    return config


def check_endpoint(group: ProcessGroup, training: TrainingConfig, recording_rank: int | None = None) -> None:
    """Refuse a taken port on the rank that will serve it, which is known early where all share a machine.

    Raises
    ------
    RunError
        Naming the port.
    """
    early = 0 if len(group.together) == group.channel.size else None
    serving = early if recording_rank is None else recording_rank
    if training.prometheus is not None and group.rank == serving:
        check_port(training.prometheus)


def observed(
    stack: ExitStack, log: MetricsLog, training: TrainingConfig, folder: RunFolder, step: int
) -> ObservedLog:
    """The log and the observers that the settings ask for.

    Parameters
    ----------
    stack
        Closes the observers.
    log, folder
        Of the run.
    training
        The settings.
    step
        That the run goes on after; 0 for a new run.
    """
    observers: list[Observer] = []
    if training.tensorboard:
        observers.append(stack.enter_context(EventFiles(folder.path, step)))
    if training.prometheus is not None:
        observers.append(stack.enter_context(Endpoint(training.prometheus, folder.path.name)))
    return ObservedLog(log, observers)
