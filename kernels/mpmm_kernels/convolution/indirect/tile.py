"""Register tiles of the indirect kernels: tall blocks, short ones for what is left, then single rows."""

from typing import NamedTuple

from mpmm_kernels.vector import Size, lanes


class IndirectTile(NamedTuple):
    """Accumulators of tall and short blocks; vectors of a row, and lanes of the last of them."""

    tall: Size
    short: Size
    columns: Size
    last: Size

    def describe(self, dtype: str) -> str:
        """Rows of a tall block by vectors of a row, the last as a part of one."""
        vectors = len(self.columns) - 1 + len(self.last) / lanes(dtype)
        return f"{len(self.tall) // len(self.columns)}x{vectors:g}"
