"""The tile size: the least time that fits the memory limit, by trying the ways to cut a window."""

from __future__ import annotations

from mpmm.errors import PatchError
from mpmm.mapping.layer_stages import NetworkStages
from mpmm.mapping.tile_plan import TilePlan, plan_tile
from mpmm.network import NetworkSpec

# into how many pieces the rows and the columns of a window may be cut
PIECES = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24, 32, 64)


def choose_tile(
    spec: NetworkSpec, stages: NetworkStages, window: tuple[int, int], tiles: int, limit: int
) -> TilePlan:
    """Plan the tiles of windows of at most ``window`` rows and columns.

    Parameters
    ----------
    window
        Rows and columns of the largest window.
    tiles
        How many are computed at once: one for each thread.
    limit
        Bytes that the arrays of these tiles may take together.

    Raises
    ------
    PatchError
        Even the smallest tile needs more.
    """
    best: tuple[float, TilePlan] | None = None
    for rows in _lengths(window[0], stages.multiple()[0]):
        for columns in _lengths(window[1], stages.multiple()[1]):
            plan = plan_tile(spec, stages, rows, columns)
            if plan.bytes * tiles > limit:
                continue
            count = -(-window[0] // rows) * -(-window[1] // columns)
            # at the end of a window threads wait for the last tile
            work = plan.cost * -(-count // tiles) * tiles
            if best is None or work < best[0]:
                best = work, plan
    if best is None:
        smallest = plan_tile(spec, stages, *stages.multiple()).bytes * tiles
        raise PatchError(
            f"{tiles} tiles of the smallest size need {smallest / 2**20:.1f} MiB, the limit is "
            f"{limit / 2**20:.1f}",
            "allow more with --memory, or compute with fewer --threads",
        )
    return best[1]


def _lengths(window: int, multiple: int) -> list[int]:
    """Lengths of the pieces when a window is cut into `PIECES`, rounded up to multiples, largest first."""
    lengths = {-(-window // (multiple * count)) * multiple for count in PIECES}
    return sorted(lengths | {multiple}, reverse=True)
