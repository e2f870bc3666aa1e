"""A training step of a rank that owns blocks: pull, forward, loss, backward, push."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from mpmm_kernels.groups import additions

from mpmm.messages import Kind
from mpmm.placement.instructions import (
    AnyOrder,
    Backward,
    Combine,
    CopyRows,
    Forward,
    Instruction,
    LoadLabels,
    LoadPatches,
    Loss,
    Measure,
)
from mpmm.placement.meanwhile import LAST, REST, Meanwhile
from mpmm.placement.owning import totals
from mpmm.placement.passing import Passing, gradients_first, pushes
from mpmm.placement.pulling import Ahead
from mpmm.placement.script import CONTROL, Script
from mpmm.placement.serving import announce, combined_metrics, sent_metrics, serve
from mpmm.placement.shape import BlockShape, LayerShape
from mpmm.placement.transfers import Receive, Settle
from mpmm.placement.updating import clipped_updates, shared_answers


def training_step(
    script: Script, computed: Callable[[Script], Iterator[Instruction]]
) -> Iterator[Instruction]:
    """One step over one batch: pull, forward, backward, push; receive, update, send back.

    ``computed`` is the part in between: what this rank's blocks do.
    """
    if script.serves:
        yield from announce(script)
    yield from computed(script)
    if script.serves:
        yield from serve(script)
        yield from clipped_updates(script)
        yield from shared_answers(script)
    elif script.owned():
        if script.layout.owners_update and (chains := totals(script)):
            yield AnyOrder(tuple(chains))
        yield from clipped_updates(script)
        yield Receive(Kind.CONTROL, 0, "step", script.layout.server, (CONTROL,), "int64")


def whole_batch(script: Script) -> Iterator[Instruction]:
    """Forward, loss and backward of the batch as a whole, or of this rank's share of it."""
    yield from _forward(script)
    yield from _loss(script)
    yield from gradients_first(script, _backward(script))


def inputs(script: Script, block: BlockShape) -> Iterator[Instruction]:
    """What a block reads: patches of its modality, and outputs of blocks on other ranks."""
    share = script.share(block.name)
    for source in block.inputs:
        if source not in script.shape.by_name:
            yield LoadPatches(source, share, script.row_read(share))
    for source in moved_inputs(script, block):
        for rank, part in script.makers(source):
            if rank == script.rank:
                made = script.share(source)
                rows = part.first - made.first, part.first - share.first, part.count, share.count
                yield CopyRows(Kind.ACTIVATION, source, *rows)
            else:
                yield script.receive_output(Kind.ACTIVATION, source, (rank, part))


def _forward(script: Script) -> Iterator[Instruction]:
    meanwhile, ahead = Meanwhile(script, backward=False), Ahead(script)
    for number, block in enumerate(meanwhile.others, 1):
        yield from _forward_of_block(script, block, ahead, meanwhile.others[number:], meanwhile)


def _forward_of_block(
    script: Script, block: BlockShape, ahead: Ahead, following: Sequence[BlockShape], meanwhile: Meanwhile
) -> Iterator[Instruction]:
    yield from settled_pushes(script, block)
    yield from ahead.pulls(block)
    if script.share(block.name).count:
        yield from inputs(script, block)
        for source in moved_inputs(script, block):
            yield script.settle_output(Kind.GRADIENT, source)
        yield from _forward_of_layers(script, block, ahead, following, meanwhile)
        yield from sent_outputs(script, block)


def sent_outputs(script: Script, block: BlockShape) -> Iterator[Instruction]:
    """What a block has made, to other ranks that read it."""
    for output in script.shape.outputs[block.name]:
        for rank, part in script.readers(output):
            if rank != script.rank:
                yield script.send_output(Kind.ACTIVATION, output, (rank, part))


def settled_pushes(script: Script, block: BlockShape) -> Iterator[Instruction]:
    """Gradients are sent from where they are found; a running statistic's is found forward already."""
    for layer in block.layers:
        parts = script.summed_slices(block.name, layer)
        if layer.parameters and (parts or not script.serves):
            yield script.settle_layer(Kind.PUSH, layer)
        if layer.parameters and (parts or script.layout.owners_update):
            yield script.settle_layer(Kind.TOTAL, layer)


def _forward_of_layers(
    script: Script, block: BlockShape, ahead: Ahead, following: Sequence[BlockShape], meanwhile: Meanwhile
) -> Iterator[Instruction]:
    """All at once; on a shard, up to each layer that needs the batch's sums, and on when they are there.

    Meanwhile the parameters of blocks that come next, for which other ranks wait, are passed on to these:
    behind this rank's sums, which are short, and before those of the next block. Then blocks are computed for
    which nobody waits.
    """
    share, names = script.share(block.name), [layer.name for layer in block.layers]
    start, stops = 0, _stops(script, block)
    for stop in stops:
        if stop > start:
            yield Forward(block.name, share, tuple(names[start:stop]))
        layer = block.layers[stop]
        yield from _told_sums(script, block, layer, backward=False)
        yield from ahead.give(following[:1])
        for other in meanwhile.during(layer.name):
            yield from _forward_of_block(script, other, ahead, (), meanwhile)
        yield from _added_sums(script, block, layer, backward=False)
        yield from ahead.give(following[1:2])
        start = stop
    yield Forward(block.name, share, tuple(names[start:]) if stops else ())


def _stops(script: Script, block: BlockShape) -> list[int]:
    """Numbers of the layers before which the sums over the batch are exchanged."""
    sharded = script.share(block.name).batch
    waits = script.layout.waits_for_batch
    return [number for number, layer in enumerate(block.layers) if sharded and waits(layer)]


def _told_sums(
    script: Script, block: BlockShape, layer: LayerShape, *, backward: bool
) -> Iterator[Instruction]:
    own, hub = script.share(block.name), script.hub(block.name, backward=backward)
    yield script.settle_layer(Kind.SUMS, layer)
    if hub == script.rank:
        yield script.settle_layer(Kind.SUMS_TOTAL, layer)
    yield Measure(layer.name, block.name, own, backward)
    for rank in script.pushers(block.name) if hub is None else (hub,):
        if rank != script.rank:
            yield script.send_layer(Kind.SUMS, layer, rank, len(own.sums))


def _added_sums(
    script: Script, block: BlockShape, layer: LayerShape, *, backward: bool
) -> Iterator[Instruction]:
    hub = script.hub(block.name, backward=backward)
    if hub not in (None, script.rank):
        yield script.receive_layer(Kind.SUMS_TOTAL, layer, hub, 1)
        return
    shares = [(rank, script.share(block.name, rank)) for rank in script.pushers(block.name)]
    others = [(rank, share) for rank, share in shares if rank != script.rank]
    for rank, share in others:
        yield script.receive_layer(Kind.SUMS, layer, rank, len(share.sums))
    held = tuple(node for _, share in shares for node in share.sums)
    parts = tuple((rank, len(share.sums)) for rank, share in shares)
    yield Combine(Kind.SUMS, layer.name, parts, additions(held, script.batch).merges)
    if hub is not None:
        for rank, _ in others:
            yield script.send_layer(Kind.SUMS_TOTAL, layer, rank, 1)


def _loss(script: Script) -> Iterator[Instruction]:
    output = script.shape.output.name
    share = script.share(output)
    if share.count:
        yield from measured_loss(script)
        if not script.serves:
            yield sent_metrics(script, len(share.sums))
        elif script.pushers(output) == (script.rank,):
            yield combined_metrics(script)


def measured_loss(script: Script) -> Iterator[Instruction]:
    """The loss of the samples whose output is on this rank, by their labels.

    That of the step before may still be under way: the server sends parameters back without waiting for it.
    """
    output = script.shape.output.name
    share = script.share(output)
    if not script.serves and script.micro_batch < 2:
        yield Settle(Kind.METRICS, 0, "loss")
    yield LoadLabels(share, script.row_read(share))
    yield Loss(output, share)


def _backward(script: Script) -> Iterator[Instruction]:
    """Block by block; what other shards hand on is added up two blocks later, when it has mostly come.

    A rank that waits for it keeps all shards waiting for its sums over the batch, on slow links for long.
    """
    order = {block.name: position for position, block in enumerate(reversed(script.shape.play_order))}
    passing, meanwhile = Passing(script), Meanwhile(script, backward=True)
    for block in reversed(meanwhile.others):
        # the same moment in the order of all blocks on every rank: nobody waits in a circle
        while passing.blocks and order[passing.blocks[0].name] + 2 < order[block.name]:
            yield from passing.on()
        if script.share(block.name).count:
            yield from output_gradient(script, block)
            yield from _backward_of_block(script, block, passing, meanwhile)
    yield from _backward_alone(script, meanwhile.during(LAST))
    while passing.blocks:
        yield from passing.on()
    yield from _backward_alone(script, meanwhile.during(REST))


def _backward_alone(script: Script, blocks: Iterable[BlockShape]) -> Iterator[Instruction]:
    """Of blocks whose gradients come from this rank, and go nowhere else."""
    for block in blocks:
        for layer in reversed(block.layers):
            yield Backward(layer.name, block.name)
            if layer.parameters:
                yield from pushes(script, block, layer)


def _backward_of_block(
    script: Script, block: BlockShape, passing: Passing, meanwhile: Meanwhile
) -> Iterator[Instruction]:
    waiting: list[Instruction] = []
    for layer in reversed(block.layers):
        first = layer is block.layers[0]
        if script.layout.waits_for_batch(layer) and script.share(block.name).batch:
            yield from _told_sums(script, block, layer, backward=True)
            yield from _backward_alone(script, meanwhile.during(layer.name))
            yield from _added_sums(script, block, layer, backward=True)
            yield from passing.out()
        if first:
            yield from passing.out()
            # no other block follows a stream's first, and the next step begins with these parameters
            while passing.blocks and not any(source in script.shape.by_name for source in block.inputs):
                yield from passing.on()
        yield Backward(layer.name, block.name)
        if first:
            yield from input_gradients(script, block)
        if layer.parameters and script.layout.sharded(block.name):
            waiting += pushes(script, block, layer)
        elif layer.parameters:
            yield from pushes(script, block, layer)
    passing.pushes += waiting
    passing.blocks.append(block)


def output_gradient(script: Script, block: BlockShape, later: int = 0) -> Iterator[Instruction]:
    """The gradients of a block's output from those who read it; the output is needed no more.

    Of ``later`` micro-batches outputs may still be under way.
    """
    share = script.share(block.name)
    for output in script.shape.outputs[block.name]:
        if script.stays(output):
            continue
        for rank, part in script.readers(output):
            if rank == script.rank:
                read = script.share(script.shape.consumers[output])
                rows = part.first - read.first, part.first - share.first, part.count, share.count
                yield CopyRows(Kind.GRADIENT, output, *rows)
            else:
                yield script.receive_output(Kind.GRADIENT, output, (rank, part))
        yield script.settle_output(Kind.ACTIVATION, output, later)


def input_gradients(script: Script, block: BlockShape) -> Iterator[Instruction]:
    """The gradients of what a block reads of other ranks, which wait for them."""
    for source in reversed(moved_inputs(script, block)):
        for rank, part in script.makers(source):
            if rank != script.rank:
                yield script.send_output(Kind.GRADIENT, source, (rank, part))


def moved_inputs(script: Script, block: BlockShape) -> list[str]:
    """Blocks of whose output other ranks make some, or read some; the lighter stream's first."""
    return [
        output
        for source in script.shape.play_order
        for output in script.shape.outputs[source.name]
        if output in block.inputs and not script.stays(output)
    ]
