"""Events of a run and signals to it: what has happened is written down before the run ends."""

import signal
from types import SimpleNamespace

import pytest

from mpmm.messages import Stopped
from mpmm.ranks import Kept, ShutdownRequest, StepDone
from mpmm.runs.lifecycle import _keep

STEP = StepDone(step=35, loss=1.0, correct=3, patches=4, seconds=0.1)


@pytest.mark.parametrize(("event", "written"), [(STEP, "line"), (Kept(), "checkpoint")])
def test_an_event_is_recorded_before_a_signal_is_looked_at(event, written):
    """A checkpoint at the first sign counted a step whose line was not in the log, and never came there."""
    done = []
    shutdown = ShutdownRequest(grace=0)
    shutdown.save = lambda: done.append("saved")
    recorder = SimpleNamespace(
        record=lambda event: done.append("line"), checkpoint=lambda name: done.append("checkpoint")
    )

    def events():
        shutdown.ask(signal.SIGTERM.name)
        yield event

    rank_run = SimpleNamespace(group=SimpleNamespace(shutdown=shutdown, alone=False))
    with pytest.raises(Stopped):
        _keep(rank_run, recorder, events())
    assert done == [written, "saved"]
