"""How far a run is and when it will be through, from its log and settings alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mpmm.records.run_record import RunRecord

# the latest steps tell the speed: layouts and machines may differ between the processes of one run
_LATEST = 50


@dataclass(frozen=True)
class RunProgress:
    """How far a run is.

    Attributes
    ----------
    step, steps
        Steps done, and in all; None where the folder does not tell.
    epoch, epochs
        The epoch under way, counted from 1, and how many are to be; None where the folder does not tell.
    loss, accuracy
        Of the steps of the epoch under way; None before its first.
    validation
        The latest epoch's validation accuracy; None without.
    best
        The best validation accuracy so far; None without.
    step_seconds
        Mean time of the latest steps; None before the first.
    """

    step: int
    steps: int | None
    epoch: int
    epochs: int | None
    loss: float | None
    accuracy: float | None
    validation: float | None
    best: float | None
    step_seconds: float | None

    @property
    def seconds_left(self) -> float | None:
        """Time to the last step at the speed of the latest ones, validation left out; None where unknown."""
        if self.steps is None or self.step_seconds is None:
            return None
        return max(self.steps - self.step, 0) * self.step_seconds


def progress_of(record: RunRecord) -> RunProgress:
    """How far a run is, from its log, its settings and its split."""
    last = record.steps[-1] if record.steps else {}
    epoch = int(last.get("epoch", 1))
    current = [entry for entry in record.steps if entry.get("epoch", 1) == epoch]
    validations = record.validation_accuracies
    latest = [entry["seconds"] for entry in record.steps[-_LATEST:] if "seconds" in entry]
    epochs = record.settings.get("training", {}).get("epochs")
    a_epoch = _steps_an_epoch(record)
    return RunProgress(
        step=int(last.get("step", 0)),
        steps=None if epochs is None or a_epoch is None else epochs * a_epoch,
        epoch=epoch,
        epochs=epochs,
        loss=_mean(current, "loss"),
        accuracy=_mean(current, "accuracy"),
        validation=validations[-1] if validations else None,
        best=max(validations, default=None),
        step_seconds=sum(latest) / len(latest) if latest else None,
    )


def _steps_an_epoch(record: RunRecord) -> int | None:
    training = record.settings.get("training", {})
    patches, batch = (record.split or {}).get("counts", {}).get("train"), training.get("batch")
    if not patches or not batch:
        return None
    return int(patches // batch if training.get("drop_last") else -(-patches // batch))


def _mean(entries: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """Mean of a figure over steps, each weighing as many patches as it had."""
    weights = [entry.get("patches", 1) for entry in entries if name in entry]
    values = [entry[name] for entry in entries if name in entry]
    total = sum(weights)
    pairs = zip(values, weights, strict=True)
    return sum(value * weight for value, weight in pairs) / total if total else None
