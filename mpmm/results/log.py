"""The metrics log: one JSON object a line for every step and epoch, and the epochs once more as CSV."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from mpmm.errors import RunError
from mpmm.results.files import read_text, unwritable, write_whole

EPOCH = "epoch"
STEP = "step"


class MetricsLog:
    """Appends to `metrics.jsonl` and rewrites `metrics.csv` (epochs only) at every epoch.

    A run that goes on from a checkpoint keeps the lines written up to it, and drops the ones after it: they
    will be written again. So the log of a run that was killed is the log of one that was not, but for times.

    Parameters
    ----------
    folder
        The run folder, in which both files lie.
    keep
        How many lines to keep of the log already there (what `lines` was at the checkpoint); 0 begins anew.
    """

    def __init__(self, folder: Path, keep: int = 0) -> None:
        self.path = folder / "metrics.jsonl"
        self.table = folder / "metrics.csv"
        entries = read_log(folder)[:keep] if keep else []
        if len(entries) < keep:
            raise RunError(
                f"{self.path}: {len(entries)} lines, the checkpoint knows of {keep}", "restore the log"
            )
        self.lines = keep
        self._epochs = [entry for entry in entries if entry.get("kind") == EPOCH]
        write_whole(self.path, "".join(_line(entry) for entry in entries).encode())
        self._write_table()
        try:
            # a line at once, for who follows the run
            self._file: TextIO = self.path.open("a", buffering=1, encoding="utf-8")
        except OSError as error:
            raise unwritable(self.path, error) from error

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError as failure:
            # lines that a full disk has refused before are refused once more: told of already
            if error is None:
                raise unwritable(self.path, failure) from failure

    @property
    def latest_epoch(self) -> Mapping[str, Any]:
        """What the latest epoch measured; nothing before the first has ended."""
        return self._epochs[-1] if self._epochs else {}

    def step(self, entry: Mapping[str, object]) -> None:
        """Append what one training step measured."""
        self._append({"kind": STEP, **entry})

    def epoch(self, entry: Mapping[str, object]) -> None:
        """Append what one epoch and its validation measured; both files are up to date afterwards."""
        self._append({"kind": EPOCH, **entry})
        self._epochs.append(dict(entry))
        self.flush()
        self._write_table()

    def flush(self) -> None:
        """Bring every line to the disk: called before a checkpoint that counts them."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise unwritable(self.path, error) from error

    def _append(self, entry: Mapping[str, object]) -> None:
        try:
            self._file.write(_line(entry))
        except OSError as error:
            raise unwritable(self.path, error) from error
        self.lines += 1

    def _write_table(self) -> None:
        # epochs of an older version may lack what the latest one has
        latest_first = (name for epoch in reversed(self._epochs) for name in epoch if name != "kind")
        columns = list(dict.fromkeys(latest_first))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._epochs)
        write_whole(self.table, text.getvalue().encode())


def _line(entry: Mapping[str, object]) -> str:
    return json.dumps(entry, allow_nan=False) + "\n"


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Every whole line of a run's log, oldest first; a last line cut short by a kill is left out."""
    path = folder / "metrics.jsonl"
    if not path.is_file():
        raise RunError(f"{path}: no such log", "is this a run folder?")
    entries = []
    for number, line in enumerate(read_text(path).split("\n")[:-1], start=1):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise RunError(
                f"{path}, line {number}: not JSON: {error}", "restore the log from a copy"
            ) from error
        if not isinstance(entry, dict):
            raise RunError(f"{path}, line {number}: no JSON object", "restore the log from a copy")
        entries.append(entry)
    return entries
