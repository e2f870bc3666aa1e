"""The schedules of a run: each rank's schedules for every kind of step and size of batch, made once."""

from __future__ import annotations

from dataclasses import dataclass, field

from mpmm.placement import Instruction, Layout, NetworkShape, StepKind, schedule


@dataclass(frozen=True)
class ScheduleCache:
    """Makes and keeps the schedules of one rank.

    Parameters
    ----------
    shape, layout, rank
        The network, who owns what of it, and whose schedules.
    """

    shape: NetworkShape
    layout: Layout
    rank: int
    _made: dict[tuple[StepKind, int], tuple[Instruction, ...]] = field(default_factory=dict)
    # how often each was played: times its traffic that is the prediction of what a channel counts
    played: dict[tuple[StepKind, int], int] = field(default_factory=dict)

    def schedule_for(self, kind: StepKind, batch: int = 0) -> tuple[Instruction, ...]:
        """The schedule of a step about to be played."""
        key = kind, batch
        if key not in self._made:
            self._made[key] = schedule(self.shape, self.layout, self.rank, kind, batch)
        self.played[key] = self.played.get(key, 0) + 1
        return self._made[key]
