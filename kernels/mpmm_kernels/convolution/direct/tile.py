"""Register tiles of the direct kernels: how many accumulators, of which products; by shape alone."""

from typing import NamedTuple

from mpmm_kernels.convolution.shared.geometry import Source
from mpmm_kernels.vector import OWN, Registers, Size, lanes, rows_of, size


class DirectTile(NamedTuple):
    """Accumulators: positions (or products) times ``columns`` vectors; ``taps`` of the kernel at once."""

    block: Size
    columns: Size
    taps: Size

    @property
    def planes(self) -> int:
        """Kernel planes the block of a weights' gradient holds."""
        return len(self.block) // len(self.columns) // len(self.taps)

    def __str__(self) -> str:
        return f"{len(self.block) // len(self.columns)}x{len(self.columns)}"


def slide_width(source: Source, channels: int, registers: Registers = OWN) -> int:
    """Columns of a line that `slide` makes at once, for one channel and few taps; else 0."""
    if channels > 1 or source.column_step > 1 or not 1 < source.products <= 7:
        return 0
    return _even_share(source.length, registers.number - source.products - 2)


def line_tile(source: Source, channels: int, dtype: str) -> DirectTile:
    """The tile of a line: `slide` for one channel and few taps (weights stay in registers), else `outer`."""
    width = slide_width(source, channels)
    if width:
        return DirectTile(size(width), size(1), size(source.products))
    vectors = source.filters // lanes(dtype)
    tiles = [(_even_share(source.length, rows_of(n)), n) for n in range(1, 5) if vectors % n == 0]
    width, columns = max(tiles, key=lambda tile: tile[0] * tile[1] / (tile[0] + tile[1]))
    return DirectTile(size(width * columns), size(columns), size(1))


def weights_tile(source: Source, channels: int, dtype: str) -> DirectTile:
    """The tile of the weights' gradient: for one channel several kernel planes, else a part of a row."""
    vectors = source.filters // lanes(dtype)
    if channels == 1 and source.products <= rows_of(1):
        planes = _even_share(source.kernel_depth, rows_of(1) // source.products)
        return DirectTile(size(planes * source.products), size(1), size(source.products))
    columns = 2 if vectors % 2 == 0 else 1
    taps = max(n for n in range(1, rows_of(columns) + 1) if source.products % n == 0)
    return DirectTile(size(taps * columns), size(columns), size(taps))


def _even_share(length: int, limit: int) -> int:
    """The largest share when a length is cut into as few even ones of at most ``limit`` as possible."""
    pieces = -(-length // limit)
    return -(-length // pieces)
