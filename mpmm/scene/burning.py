"""Burns polygons and points of classes onto the scene's grid, strip by strip."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize

from mpmm.errors import SceneError
from mpmm.scene.grid import Grid
from mpmm.scene.labels import Borders, Overlaps

# the id of a pixel that no shape covers
_NONE = -1
# of a pixel: how far a border has to reach into it to count
_REACH = 1e-6


@dataclass(frozen=True)
class Burning:
    """Shapes with an id each, and how they become pixels.

    Attributes
    ----------
    origin
        The vector file, for errors.
    grid
        The scene's grid.
    shapes
        Polygons and points in its coordinate system, (shapes,).
    ids
        Of each shape, (shapes,) int16.
    borders
        "keep": a pixel is a polygon's if its centre is inside. "drop": none through which a border passes.
    overlaps
        Of shapes of different classes: "refuse", or "drop" the pixels that they share.
    notes
        What was left out on the way here, a line each.
    """

    origin: str
    grid: Grid
    shapes: NDArray[np.object_]
    ids: NDArray[np.int16]
    borders: Borders
    overlaps: Overlaps
    notes: tuple[str, ...] = ()

    def read(self, row: int, height: int) -> NDArray[np.int16]:
        """Burn a strip of the grid's rows: ids (height, width), -1 where no shape is.

        Raises
        ------
        SceneError
            Shapes of different classes share a pixel, and that is to be refused.
        """
        ids, shared, second = self._burn(row, height)
        if self.overlaps == "refuse" and shared.any():
            first_row, column = map(int, np.argwhere(shared)[0])
            classes = sorted((int(ids[first_row, column]), int(second[first_row, column])))
            raise SceneError(
                f"labels: {self.origin}: shapes of classes {classes[0]} and {classes[1]} overlap at "
                f"row {row + first_row}, column {column} of the scene, and on "
                f"{int(shared.sum()) - 1:,} more pixels nearby",
                'correct them in a GIS; or leave such pixels unlabelled: overlaps = "drop" in [scene.labels]',
            )
        return np.where(shared, np.int16(_NONE), ids)

    def shared_pixels(self, row: int, height: int) -> int:
        """How many pixels of a strip lie in shapes of different classes."""
        return int(self._burn(row, height)[1].sum())

    def _burn(self, row: int, height: int) -> tuple[NDArray[np.int16], NDArray[np.bool_], NDArray[np.int16]]:
        """The first class of each pixel, whether it has several, and the last of these."""
        part = self.grid.part(row, 0, height, self.grid.width)
        near = self._near(part)
        ids = np.full(part.shape, _NONE, np.int16)
        second, shared = ids.copy(), np.zeros(part.shape, np.bool_)
        dropped = _crossed(self._rings(near), part) if self.borders == "drop" else shared.copy()
        for number in np.unique(self.ids[near]):
            here = _covered(self.shapes[near[self.ids[near] == number]], part) & ~dropped
            again = here & (ids != _NONE)
            shared |= again
            second[again] = number
            ids[here & ~again] = number
        return ids, shared, second

    @cached_property
    def _tree(self) -> Any:
        return shapely.STRtree(self.shapes)

    def _near(self, part: Grid) -> NDArray[np.int64]:
        """Positions of the shapes that may reach into a part of the grid."""
        return np.sort(self._tree.query(shapely.box(*part.bounds)))

    def _rings(self, near: NDArray[np.int64]) -> NDArray[np.object_]:
        shapes = self.shapes[near]
        rings: NDArray[np.object_] = shapely.get_rings(shapes[shapely.get_type_id(shapes) == 3])
        return rings


def _covered(shapes: NDArray[np.object_], grid: Grid) -> NDArray[np.bool_]:
    """Pixels whose centre is in a polygon, or that a point lies in."""
    is_point = shapely.get_type_id(shapes) == 0
    covered = _rasterized(shapes[~is_point], grid)
    a, _, west, _, e, north = grid.transform
    xs, ys = shapely.get_coordinates(shapes[is_point]).T
    columns, rows = np.floor((xs - west) / a).astype(np.int64), np.floor((ys - north) / e).astype(np.int64)
    inside = (rows >= 0) & (rows < grid.height) & (columns >= 0) & (columns < grid.width)
    covered[rows[inside], columns[inside]] = True
    return covered


def _crossed(rings: NDArray[np.object_], grid: Grid) -> NDArray[np.bool_]:
    """Pixels through whose inside a ring passes, not merely along their edge."""
    touched = _rasterized(rings, grid, all_touched=True)
    rows, columns = np.nonzero(touched)
    if not len(rows):
        return touched
    a, _, west, _, e, north = grid.transform
    inset = _REACH
    pixels = shapely.box(
        west + a * (columns + inset),
        north + e * (rows + 1 - inset),
        west + a * (columns + 1 - inset),
        north + e * (rows + inset),
    )
    crossed = np.unique(shapely.STRtree(rings).query(pixels, predicate="intersects")[0])
    touched[:] = False
    touched[rows[crossed], columns[crossed]] = True
    return touched


def _rasterized(shapes: NDArray[np.object_], grid: Grid, all_touched: bool = False) -> NDArray[np.bool_]:
    """Pixels that GDAL burns for these shapes: whose centre is inside, or that they touch."""
    if not len(shapes):
        return np.zeros(grid.shape, np.bool_)
    options = {"transform": Affine(*grid.transform), "all_touched": all_touched, "dtype": "uint8"}
    burned = rasterize(shapes, grid.shape, **options)
    return np.asarray(burned, np.bool_)
