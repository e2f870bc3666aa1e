"""The network as a drawing: streams side by side, the fusion below, blocks in their owners' colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mpmm.placement import BlockShape
from mpmm.records import Crossing, OwnedNetwork
from mpmm.report.colors import rank_color, with_ink
from mpmm.report.words import as_shape, counted, in_bytes

WIDTH, HEIGHT = 160, 76
_ACROSS, _DOWN = WIDTH + 16, HEIGHT + 46
_FUSION = "fusion"


@dataclass(frozen=True)
class BlockBox:
    """A block: where it lies, what it is, who owns it. Several owners' colours are strips of equal width."""

    x: float
    y: float
    name: str
    shape: str
    parameters: str
    owners: str
    colors: tuple[str, ...]
    ink: str

    @property
    def strips(self) -> list[tuple[float, float, str]]:
        """Left edge, width and colour of each owner's strip."""
        width = WIDTH / len(self.colors)
        return [(self.x + number * width, width, color) for number, color in enumerate(self.colors)]


@dataclass(frozen=True)
class Arrow:
    """From a block to its reader; with what crosses between ranks in a step, if anything does.

    One past other blocks of its column goes beside them, so many pixels to the right.
    """

    x1: float
    y1: float
    x2: float
    y2: float
    text: str
    words: str
    beside: float = 0.0


@dataclass(frozen=True)
class NetworkDrawing:
    """Boxes and arrows, and the size of the drawing in pixels."""

    width: float
    height: float
    boxes: tuple[BlockBox, ...]
    arrows: tuple[Arrow, ...]


def draw_network(network: OwnedNetwork) -> NetworkDrawing:
    """Lay the network out from top to bottom."""
    shape = network.shape
    names = list(dict.fromkeys(block.stream for block in shape.blocks if block.stream != _FUSION))
    chains = [shape.blocks_of(name) for name in names]
    longest = max(map(len, chains), default=0)
    width = max(len(chains), 1) * _ACROSS - (_ACROSS - WIDTH) + 8
    boxes: dict[str, BlockBox] = {}
    for column, chain in enumerate(chains):
        # streams end together, just above the fusion
        for row, block in enumerate(chain, longest - len(chain)):
            boxes[block.name] = _box(network, block, 4 + column * _ACROSS, 4 + row * _DOWN)
    fusion = shape.blocks_of(_FUSION)
    for row, block in enumerate(fusion, longest):
        boxes[block.name] = _box(network, block, (width - WIDTH) / 2, 4 + row * _DOWN)
    height = (longest + len(fusion)) * _DOWN - (_DOWN - HEIGHT) + 8
    arrows = tuple(_arrow(boxes, crossing) for crossing in network.crossings)
    return NetworkDrawing(width, height, tuple(boxes.values()), arrows)


def owner_words(ranks: Sequence[int]) -> str:
    """Ranks in words: "rank 1", "ranks 1, 2"."""
    return f"{'rank' if len(ranks) == 1 else 'ranks'} {', '.join(map(str, ranks))}"


def _box(network: OwnedNetwork, block: BlockShape, x: float, y: float) -> BlockBox:
    owners = network.layout.owner[block.name]
    colors = tuple(rank_color(rank) for rank in owners)
    return BlockBox(
        x,
        y,
        block.name,
        as_shape(block.output_shape),
        counted(block.size, "parameter"),
        owner_words(owners),
        colors,
        with_ink(colors[0]),
    )


def _arrow(boxes: dict[str, BlockBox], crossing: Crossing) -> Arrow:
    source, target = boxes[crossing.source], boxes[crossing.target]
    text = words = ""
    if crossing.activations:
        text = in_bytes(crossing.activations)
        words = (
            f"{text} of activations from {source.owners} to {target.owners} in a step, "
            f"{in_bytes(crossing.gradients)} of gradients back"
        )
    passed = round((target.y - source.y) / _DOWN) - 1
    if passed > 0 and source.x == target.x:
        right, half = source.x + WIDTH, HEIGHT / 2
        # shortcuts of other lengths beside each other
        beside = 4.0 + 3.0 * (passed % 4)
        return Arrow(right, source.y + half, right, target.y + half, text, words, beside)
    middle = WIDTH / 2
    return Arrow(source.x + middle, source.y + HEIGHT, target.x + middle, target.y, text, words)
