"""Records a run from its first event to its summary, however it ends, in one process or among ranks."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import NoReturn

from mpmm.display import say, say_network
from mpmm.messages import INTERRUPTED, Stopped, abort, signal_words
from mpmm.placement import mathematics_text
from mpmm.ranks import Driver, EpochDone, Event, Kept, Server, Validation, outcome
from mpmm.runs.accounting import costs_by_rank, gather_costs, say_costs, write_costs
from mpmm.runs.rank_run import RankRun
from mpmm.runs.recorder import Recorder
from mpmm.runs.run_writer import RunWriter
from mpmm.runs.single_values import single_values_line

# what the recording rank reports of a run, in its order
Events = Generator[Event | Kept, None, None]
# seconds from SIGTERM, by when what was sent at the first sign has been written, to the last words
GRACE_OF_THE_RECORDER = 0.1


@dataclass(frozen=True)
class Ending:
    """How the events of a run ended.

    Attributes
    ----------
    validation
        Of the last parameters; None when interrupted or without validation patches.
    interrupted
        Name of the signal that ended the run before a limit was reached, if one did.
    """

    validation: Validation | None
    interrupted: str | None


def record(
    rank_run: RankRun, role: Server | Driver, events: Events, between: float | None = None
) -> str | None:
    """Follow a run's events to its end, keep what they tell, and sum it up.

    Parameters
    ----------
    rank_run
        The part in the run of the rank that records it.
    role
        Who reports the events, and holds counters and arrays of the same moment.
    events
        What happens in the run.
    between
        Seconds between two checkpoints within an epoch; a minute by default.

    Returns
    -------
    str or None
        The name of the signal that interrupted the run, if one did.
    """
    writer = RunWriter(rank_run, role.counters, role.snapshot)
    if rank_run.group.alone:
        say_network(rank_run.start.console, role.network, rank_run.start.threads[0])
    if text := mathematics_text(rank_run.layout):
        say(rank_run.start.console, "layout", text)
    if rank_run.start.checkpoint is not None and writer.ended is not None:
        text = f"{writer.ended}, reached before: there is nothing to train; --epochs or --steps sets another"
        say(rank_run.start.console, "limit", text)
    line = single_values_line(rank_run.prepared.spec, rank_run.batches, rank_run.layout)
    if line is not None:
        say(rank_run.start.console, "batches", line)
    with ExitStack() as stack:
        recorder = writer.recorder(stack, between)
        stack.enter_context(rank_run.group.interruptible())
        ending = _followed(writer, recorder, role, events)
        role.close()
    return _sum_up(writer, recorder, ending, role)


def _followed(writer: RunWriter, recorder: Recorder, role: Server | Driver, events: Events) -> Ending:
    """Play the events to their end, whatever that is."""
    rank_run, shutdown = writer.rank_run, writer.rank_run.group.shutdown
    shutdown.grace = GRACE_OF_THE_RECORDER
    if isinstance(role, Server):
        # a driver's state is the one that the server has sent last
        shutdown.save = lambda: recorder.checkpoint("last") if role.whole else None
    try:
        if isinstance(role, Server):
            # a driver computes when it validates; until then it loads nothing and keeps no step waiting
            rank_run.warm_up(role.network, rank_run.layout.blocks_of(rank_run.group.rank) or None)
        return _ending(writer, recorder, role, _keep(rank_run, recorder, events))
    except Stopped:
        role.rewind()
        _stop(writer, recorder)
    except KeyboardInterrupt:
        console = rank_run.start.console
        say(console, "stopped", "at once; what came after the last checkpoint is lost")
        say(console, "go on", f"mpmm train --resume {writer.folder.path}")
        raise


def _keep(rank_run: RankRun, recorder: Recorder, events: Events) -> Ending:
    """Keep what the events tell; the last epoch's validation if nothing was trained after it."""
    group, validation = rank_run.group, None
    with closing(events):
        for event in events:
            # before a signal is looked at, for the counters count the event: a checkpoint without its line
            # in the log would leave that out for good
            if isinstance(event, Kept):
                recorder.checkpoint("last")
            else:
                recorder.record(event)
                validation = event.validation if isinstance(event, EpochDone) else None
            group.shutdown.check()
            if group.alone and group.shutdown.finishing and not isinstance(event, Kept):
                # ranks are told by the server, whose next step is then the last
                return Ending(None, group.shutdown.finishing)
    return Ending(validation, None)


def _ending(writer: RunWriter, recorder: Recorder, role: Server | Driver, ending: Ending) -> Ending:
    """Write the last checkpoint; score the last parameters, if a limit was reached and they are not yet."""
    recorder.checkpoint("last")
    if ending.interrupted is None and writer.ended is None:
        name = writer.rank_run.group.shutdown.finishing or signal.SIGUSR1.name
        ending = Ending(None, name)
    if ending.interrupted is not None:
        return ending
    if not writer.folder.checkpoint_path("best").exists():
        recorder.checkpoint("best")
    return Ending(ending.validation or outcome(role.validated()), None)


def _stop(writer: RunWriter, recorder: Recorder) -> NoReturn:
    """A signal to ranks: the last checkpoint is that of the last complete step; say so and end all."""
    group = writer.rank_run.group
    reason, step = group.shutdown.reason, writer.counters.step
    line = f"{signal_words(reason)}: the state after step {step} is kept"
    # mpirun, once it ends, forwards errors only
    os.write(2, f"{line}; go on: mpmm train --resume {writer.folder.path}\n".encode())
    writer.sum_up(recorder, None, reason)
    sys.stdout.flush()
    abort(group.channel.communicator, INTERRUPTED)


def _sum_up(writer: RunWriter, recorder: Recorder, ending: Ending, role: Server | Driver) -> str | None:
    """Gather what every rank has cost; write and say how the run ended."""
    rank_run, console = writer.rank_run, writer.rank_run.start.console
    costs = gather_costs(rank_run.group, role.schedules, rank_run.recording_rank)
    write_costs(writer.folder.path, costs, rank_run.preparation)
    if not rank_run.group.alone:
        say_costs(console, costs, rank_run.preparation)
    writer.sum_up(recorder, ending.validation, ending.interrupted, {"per_rank": costs_by_rank(costs)})
    return ending.interrupted
