"""The schedule: what a rank does in a step, in order; a pure function of network, layout and rank."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from mpmm.errors import LayoutError
from mpmm.messages import Kind
from mpmm.placement.evaluation import evaluation_step
from mpmm.placement.instructions import Instruction, TakeSnapshot
from mpmm.placement.layout import Layout
from mpmm.placement.micro_batched import micro_batched
from mpmm.placement.owning import gather_step
from mpmm.placement.pulling import pulls
from mpmm.placement.script import COUNTERS, Script
from mpmm.placement.shape import NetworkShape
from mpmm.placement.training import training_step, whole_batch
from mpmm.placement.transfers import Receive, Send, Settle, SettleAll
from mpmm.placement.updating import answers

# Snapshots that may be on their way to a driver that still validates an earlier one.
SNAPSHOTS_AHEAD = 1
# counters, parameters, first and second moments
SNAPSHOT_PARTS = 4


class StepKind(StrEnum):
    """What a step is for.

    A training is: START, any number of TRAIN, FINISH; all over again after an evaluation in between.
    SNAPSHOT stands between two TRAIN, on the server and the driver alone. EVALUATE stands outside of
    START ... FINISH, once a micro-batch. Where owners update, GATHER stands after a TRAIN whose state is
    needed: before a SNAPSHOT, and before FINISH.
    """

    START = "start"
    TRAIN = "train"
    GATHER = "gather"
    FINISH = "finish"
    SNAPSHOT = "snapshot"
    EVALUATE = "evaluate"


def schedule(
    shape: NetworkShape, layout: Layout, rank: int, kind: StepKind | str = StepKind.TRAIN, batch: int = 0
) -> tuple[Instruction, ...]:
    """What ``rank`` does in a step.

    Parameters
    ----------
    shape, layout
        The network, and who owns what of it.
    rank
        Whose schedule.
    kind
        What the step is for.
    batch
        Samples of the whole batch, of all ranks together; only TRAIN and EVALUATE have any.

    Returns
    -------
    tuple of Instruction
        To be followed in order; an `AnyOrder` holds chains that go on as their messages arrive.

    Raises
    ------
    LayoutError
        There is no such rank, or no samples for a step that needs some.
    """
    kind = StepKind(kind)
    if not 0 <= rank < layout.ranks:
        raise LayoutError(f"no rank {rank} in layout {layout.name}", f"its ranks are 0 to {layout.ranks - 1}")
    if kind in (StepKind.TRAIN, StepKind.EVALUATE) and batch < 1:
        raise LayoutError(f"a step over {batch} samples", "give the number of samples in the batch")
    return tuple(_STEPS[kind](Script(shape, layout, rank, batch, kind == StepKind.TRAIN)))


def _start(script: Script) -> Iterator[Instruction]:
    """The server sends all parameters; they are pulled in the first step. Owners that update have them.

    The last micro-batches of an evaluation may still be under way, from buffers that the step will write.
    """
    yield SettleAll()
    if script.serves:
        for block in script.shape.play_order:
            yield from answers(script, block)


def _train(script: Script) -> Iterator[Instruction]:
    cut = script.layout.options.micro_batches > 1
    yield from training_step(script, micro_batched if cut else whole_batch)


def _finish(script: Script) -> Iterator[Instruction]:
    """The workers pull what the last step made, so that they can evaluate; nothing is left under way."""
    for block in script.owned():
        yield from pulls(script, block)
    yield SettleAll()


def _snapshot(script: Script) -> Iterator[Instruction]:
    """The server sends the driver a copy of everything a checkpoint needs, and goes on."""
    driver = script.layout.driver
    if script.serves and driver is not None:
        sends = [Send(Kind.SNAPSHOT, item, *part) for item, part in enumerate(_parts(script, driver))]
        for send in sends:
            yield Settle(send.kind, send.item, send.name, SNAPSHOTS_AHEAD)
        yield TakeSnapshot()
        yield from sends
    elif script.rank == driver:
        for item, part in enumerate(_parts(script, script.layout.server)):
            yield Receive(Kind.SNAPSHOT, item, *part)


def _parts(script: Script, peer: int) -> list[tuple[str, int, tuple[int, ...], str]]:
    """Name, peer, shape and dtype of a snapshot's messages; arrays layer by layer in forward order."""
    layers = list(script.shape.trained_layers())
    values = sum(layer.size for layer in layers)
    moments = sum(layer.trainable_size for layer in layers)
    dtype = script.shape.dtype
    return [
        ("counters", peer, (COUNTERS,), "float64"),
        ("values", peer, (values,), dtype),
        ("first moments", peer, (moments,), dtype),
        ("second moments", peer, (moments,), dtype),
    ]


_STEPS = {
    StepKind.START: _start,
    StepKind.TRAIN: _train,
    StepKind.GATHER: gather_step,
    StepKind.FINISH: _finish,
    StepKind.SNAPSHOT: _snapshot,
    StepKind.EVALUATE: evaluation_step,
}
