"""Where a training run stands: everything about it that is not an array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from mpmm.errors import RunError

# counters that checkpoints of older versions lack
_LATER = {"lowest", "waited", "drops"}


@dataclass
class Counters:
    """Where a run stands between two steps: with arrays and settings it decides all that follows.

    Attributes
    ----------
    step
        Steps done.
    epoch, position
        The epoch under way (0-based), and the batches of it that are done.
    loss_sum, correct, seen
        Of the epoch under way: loss summed over patches, patches classified rightly, patches.
    best, best_epoch
        Highest validation accuracy so far and the epoch after which it was measured; None before the first.
    stale
        Epochs since then, for early stopping.
    lowest, waited, drops
        Lowest validation loss so far, epochs since it or since the last drop of the learning rate, and such
        drops; only counted where the rate waits for the loss.
    """

    step: int = 0
    epoch: int = 0
    position: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    seen: int = 0
    best: float | None = None
    best_epoch: int | None = None
    stale: int = 0
    lowest: float | None = None
    waited: int = 0
    drops: int = 0

    def add_step(self, loss: float, correct: int, patches: int) -> None:
        """Count one step of `patches` patches with their mean loss."""
        self.step += 1
        self.position += 1
        self.loss_sum += loss * patches
        self.correct += correct
        self.seen += patches

    def end_epoch(self, accuracy: float | None) -> bool:
        """Count a whole epoch with its validation accuracy; whether that is the best so far.

        Without validation patches (None) the latest epoch counts as the best.
        """
        improved = accuracy is None or self.best is None or accuracy > self.best
        if improved:
            self.best, self.best_epoch, self.stale = accuracy, self.epoch, 0
        else:
            self.stale += 1
        self.epoch, self.position = self.epoch + 1, 0
        self.loss_sum, self.correct, self.seen = 0.0, 0, 0
        return improved

    def watch(self, loss: float | None, every: int | None) -> None:
        """Count an epoch by its validation loss: after `every` of them without a lower one the rate drops.

        Nothing is counted where there is no loss, or where the rate does not wait for it.
        """
        if loss is None or every is None:
            return
        if self.lowest is None or loss < self.lowest:
            self.lowest, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited >= every:
            self.drops, self.waited = self.drops + 1, 0

    @property
    def loss(self) -> float:
        """Mean training loss of the epoch so far; 0 before its first step."""
        return self.loss_sum / self.seen if self.seen else 0.0

    @property
    def accuracy(self) -> float:
        """Training accuracy of the epoch so far; 0 before its first step."""
        return self.correct / self.seen if self.seen else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Counters:
        """Counters from the plain values that `to_dict` gave, also before a rate could wait for the loss."""
        known = {field.name for field in fields(cls)}
        if known != set(plain) | _LATER:
            odd = ", ".join(sorted(known ^ (set(plain) | _LATER)))
            raise RunError(
                f"the checkpoint's counters differ: {odd}", "resume with the version that wrote it"
            )
        return cls(**plain)


@dataclass(frozen=True)
class Limits:
    """When a run ends: after so many epochs or steps, or `patience` epochs without a better validation."""

    epochs: int
    steps: int | None = None
    patience: int | None = None

    def reached(self, counters: Counters) -> str | None:
        """Why the run ends here, or None while it goes on."""
        if self.steps is not None and counters.step >= self.steps:
            return _counted(self.steps, "step")
        if counters.epoch >= self.epochs:
            return _counted(self.epochs, "epoch")
        if self.patience is not None and counters.stale >= self.patience:
            return f"no better validation accuracy for {self.patience} epochs"
        return None


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
