"""A run's curves as TensorBoard's event files, of the same figures as the log."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mpmm.results.files import unwritable

if TYPE_CHECKING:
    from tensorboardX.event_file_writer import EventsWriter

FOLDER = "tensorboard"
# they are an epoch's coordinates, not its figures
_COORDINATES = ("epoch", "step", "best")


class EventFiles:
    """Writes every figure of steps and epochs as a scalar over steps into a new event file.

    A run that goes on from a checkpoint adds another file to the same folder, which tells TensorBoard to
    forget what came after the checkpoint: the curves are those of a run that was never interrupted.

    Parameters
    ----------
    folder
        The run folder; files lie in `tensorboard` in it.
    step
        The step that the run goes on after; 0 for a new run.

    Raises
    ------
    RunError
        The folder cannot be written to.
    """

    def __init__(self, folder: Path, step: int = 0) -> None:
        # an optional library, looked for before the run begins
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import SessionLog

        self.path = folder / FOLDER
        try:
            self.path.mkdir(exist_ok=True)
            self._file: EventsWriter = EventsWriter(str(self.path / "events"), f".{os.getpid()}.{step}")
            self._write(step + 1, session_log=SessionLog(status=SessionLog.START))
        except OSError as error:
            raise unwritable(self.path, error) from error

    def __enter__(self) -> EventFiles:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def step(self, entry: Mapping[str, object]) -> None:
        """Write loss, accuracy and seconds of one training step."""
        self._scalars("step", entry)

    def epoch(self, entry: Mapping[str, object]) -> None:
        """Write what one epoch and its validation measured, at the epoch's last step."""
        self._scalars("epoch", entry)
        self.flush()

    def flush(self) -> None:
        """Bring every figure to the disk: called before a checkpoint."""
        try:
            self._file.flush()
        except OSError as error:
            raise unwritable(self.path, error) from error

    def _scalars(self, group: str, entry: Mapping[str, object]) -> None:
        from tensorboardX.proto.summary_pb2 import Summary

        values = [
            Summary.Value(tag=f"{group}/{name}", simple_value=float(value))
            for name, value in entry.items()
            if name not in _COORDINATES and isinstance(value, int | float) and math.isfinite(value)
        ]
        self._write(int(str(entry["step"])), summary=Summary(value=values))

    def _write(self, step: int, **content: object) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self._file.write_event(Event(wall_time=time.time(), step=step, **content))
