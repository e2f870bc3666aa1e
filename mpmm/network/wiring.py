"""How the blocks of a stream are wired: what each one reads, and the volumes that follow from it."""

from __future__ import annotations

from collections.abc import Sequence

from mpmm.errors import NetworkError
from mpmm.network.block_spec import BlockSpec, JoinSpec
from mpmm.network.shapes import Volume, pooled

PATCH = "patch"
# (bands, rows, columns, channels)
Shape = tuple[int, int, int, int]


def sources_of(blocks: Sequence[BlockSpec | JoinSpec], stream: str) -> tuple[tuple[int, ...], ...]:
    """Numbers of the blocks that each block reads, counted from 1; 0 is the patch.

    Raises
    ------
    NetworkError
        A block reads what does not stand before it, or the patch where it cannot; or nobody reads a block.
    """
    sources = tuple(
        _sources(block, number, f"block{number} of stream {stream}") for number, block in enumerate(blocks, 1)
    )
    read = {source for each in sources for source in each}
    unread = [number for number in range(1, len(blocks)) if number not in read]
    if unread:
        raise NetworkError(
            f"block{unread[0]} of stream {stream} is read by no other block",
            f"name it in the inputs of a later one, e.g. inputs = ['block{unread[0]}'], or leave it out",
        )
    return sources


def shapes_of(blocks: Sequence[BlockSpec | JoinSpec], patch: Volume, stream: str) -> tuple[Shape, ...]:
    """(bands, rows, columns, channels) of the patch, then of each block's output.

    Raises
    ------
    NetworkError
        A block does not fit what it reads, or inputs of a join do not fit each other.
    """
    shapes: list[Shape] = [(*patch, 1)]
    for number, (block, sources) in enumerate(zip(blocks, sources_of(blocks, stream), strict=True), 1):
        read = [shapes[source] for source in sources]
        if isinstance(block, JoinSpec):
            shapes.append(_joined(block, read, number, stream))
        else:
            shapes.append((*block.output(read[0][:3], number, stream), block.filters))
    return tuple(shapes)


def _sources(block: BlockSpec | JoinSpec, number: int, name: str) -> tuple[int, ...]:
    if not block.inputs:
        sources: tuple[int, ...] = (number - 1,)
    else:
        known = [PATCH, *(f"block{before}" for before in range(1, number))]
        for source in block.inputs:
            if source not in known:
                raise NetworkError(f"{name} reads '{source}'", f"it can read {', '.join(known)}")
        sources = tuple(known.index(source) for source in block.inputs)
    if len(set(sources)) < len(sources):
        raise NetworkError(f"{name} reads the same block twice", "name each of its inputs once")
    if isinstance(block, JoinSpec) and 0 in sources:
        raise NetworkError(
            f"{name} joins the patch itself", "begin with a convolution, and join what it makes"
        )
    if isinstance(block, BlockSpec) and len(sources) > 1:
        raise NetworkError(
            f"{name} is a convolution of {len(sources)} inputs",
            "join them first, by a block with join = 'add'",
        )
    return sources


def _joined(block: JoinSpec, read: Sequence[Shape], number: int, stream: str) -> Shape:
    alike = [shape if block.join == "add" else shape[:3] for shape in read]
    if len(set(alike)) > 1:
        given = ", ".join("x".join(map(str, shape)) for shape in read)
        expected = "one shape" if block.join == "add" else "equal bands, rows and columns"
        raise NetworkError(
            f"{block.join}{number} of stream {stream}: inputs of {given}, expected {expected}",
            "pad the convolutions between them with 'same', or give them as many filters",
        )
    bands, rows, columns, channels = read[0]
    if block.join == "concatenate":
        channels = sum(shape[3] for shape in read)
    volume = bands, rows, columns
    if block.pool != "none":
        volume = pooled(volume, block.window, f"pool{number} of stream {stream}")
    return (*volume, channels)
