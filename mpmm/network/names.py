"""Names of blocks, layers and parameters: the one place that composes them and takes them apart.

    modality     hsi
    block        hsi.block1                        hsi.head           fusion.block1   fusion.output
    layer        hsi.block1.convolution            hsi.head.dense2    fusion.output.dense
    parameter    hsi.block1.convolution.weights    hsi.head.dense2.bias
    output       hsi.block1                        hsi.block1>block3

An output that several blocks read has a name for each of them: the block's own for the first one, so that
every output has one reader, and a gradient of its own. A modality's name holds no dot, and is not `FUSION`.
"""

from __future__ import annotations

FUSION = "fusion"
OUTPUT = f"{FUSION}.output"
READ_BY = ">"


def block_name(section: str, number: int) -> str:
    """Name of a stream's or the fusion's block, counted from 1."""
    return f"{section}.block{number}"


def head_name(stream: str) -> str:
    """Name of the block behind a stream's numbered ones, which makes its features."""
    return f"{stream}.head"


def output_name(block: str, reader: int | None = None) -> str:
    """Name of a block's output, as its first reader reads it, or the stream's block of this number."""
    return block if reader is None else f"{block}{READ_BY}block{reader}"


def is_modality(source: str) -> bool:
    """Whether what a block reads is a modality, and no other block's output."""
    return "." not in source


def maker_of(output: str) -> str:
    """The block that makes an output."""
    return output.partition(READ_BY)[0]


def layer_name(block: str, kind: str, number: int | None = None) -> str:
    """Name of a block's layer, with a number from 1 where a block has several of a kind."""
    return f"{block}.{kind}" if number is None else f"{block}.{kind}{number}"


def parameter_name(layer: str, role: str) -> str:
    """Name of a layer's parameter, e.g. of its weights."""
    return f"{layer}.{role}"


def section_of(name: str) -> str:
    """The modality whose stream a block, layer or parameter belongs to, or `FUSION`."""
    return name.partition(".")[0]
