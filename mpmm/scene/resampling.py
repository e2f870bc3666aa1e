"""Resampling on parallel axes: for each target pixel the source pixels it draws on, and their weights.

Both rasters are north-up in one coordinate system, so every kernel is a product of one along the rows and one
along the columns. Lengths are in source pixels; source pixel k covers [k, k+1] and has its centre at k + 0.5;
target pixel i covers [start + i*step, start + (i+1)*step].
"""

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Method = Literal["average", "bilinear", "cubic", "nearest"]

# positions are known to this part of a source pixel: a UTM origin divided by the pixel size is about 1e8
_GRAIN = 1e-6


class Taps(NamedTuple):
    """What ``n`` target pixels draw on along one axis.

    ``pixel`` (n, k): source pixels, always inside the raster; ``weight`` (n, k): sums to 1, 0 where a tap is
    not used; ``inside`` (n,): whether the raster reaches the target pixel.
    """

    pixel: NDArray[np.intp]
    weight: NDArray[np.float64]
    inside: NDArray[np.bool_]


def taps(method: Method, start: float, step: float, first: int, count: int, size: int) -> Taps:
    """Find the taps of target pixels ``first .. first + count - 1`` on an axis of ``size`` source pixels.

    - ``average``: the share of the target pixel that each source pixel covers, exact for any step and shift;
      a target pixel that reaches out of the raster is not inside.
    - ``bilinear``, ``cubic``: triangle and Catmull-Rom kernel (Keys 1981, a = -1/2) around the target's
      centre, widened by ``step`` where that is above 1, as GDAL does. Taps outside the raster are left out,
      the rest brought to sum 1: the outer half of a border pixel takes that pixel's value.
    - ``nearest``: the source pixel under the target's centre.
    """
    edge = start + np.arange(first, first + count + 1, dtype=np.float64) * step
    if method == "average":
        return _area_taps(_round(edge[:-1]), _round(edge[1:]), size)
    centre = _round(0.5 * (edge[:-1] + edge[1:]))
    inside = (centre >= 0) & (centre < size)
    if method == "nearest":
        index = np.clip(np.floor(centre), 0, size - 1).astype(np.intp)
        return Taps(index[:, None], np.ones((count, 1)), inside)
    return _kernel_taps(method, centre - 0.5, max(1.0, step), inside, size)


def _round(position: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move positions that are on a pixel's edge or centre but for rounding errors onto it."""
    near = np.rint(2 * position) / 2
    return np.where(np.abs(position - near) <= _GRAIN, near, position)


def _area_taps(low: NDArray[np.float64], high: NDArray[np.float64], size: int) -> Taps:
    begin = np.floor(low)
    reach = int((np.ceil(high) - begin).max())
    pixel = begin[:, None] + np.arange(reach)
    overlap = np.minimum(high[:, None], pixel + 1) - np.maximum(low[:, None], pixel)
    weight = np.maximum(overlap, 0.0) / (high - low)[:, None]
    inside = (low >= 0) & (high <= size)
    index = np.clip(pixel, 0, size - 1).astype(np.intp)
    return Taps(index, weight, inside)


def _kernel_taps(
    method: Method, centre: NDArray[np.float64], scale: float, inside: NDArray[np.bool_], size: int
) -> Taps:
    radius = (1 if method == "bilinear" else 2) * scale
    begin = np.floor(centre - radius) + 1
    pixel = begin[:, None] + np.arange(int(np.ceil(2 * radius)) + 1)
    distance = np.abs(pixel - centre[:, None]) / scale
    weight = _triangle(distance) if method == "bilinear" else _catmull_rom(distance)
    weight[(pixel < 0) | (pixel >= size) | (np.abs(weight) < _GRAIN)] = 0.0
    total = weight.sum(axis=1, keepdims=True)
    weight = np.divide(weight, total, out=np.zeros_like(weight), where=inside[:, None])
    return Taps(np.clip(pixel, 0, size - 1).astype(np.intp), weight, inside)


def _triangle(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(0.0, 1.0 - distance)


def _catmull_rom(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    d = distance
    near = (1.5 * d - 2.5) * d * d + 1.0
    far = ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0
    return np.where(d < 1, near, np.where(d < 2, far, 0.0))


def source_range(drawn: Taps) -> tuple[int, int]:
    """First source pixel that is drawn on, and how many from there on; (0, 0) if none is."""
    used = drawn.pixel[(drawn.weight != 0) & drawn.inside[:, None]]
    return (int(used.min()), int(used.max() - used.min()) + 1) if used.size else (0, 0)


def combine(values: NDArray[Any], axis: int, drawn: Taps, offset: int) -> NDArray[np.float64]:
    """Weigh the source pixels along one axis, in double precision; ``values`` starts at pixel ``offset``."""
    shape = list(values.shape)
    shape[axis] = len(drawn.inside)
    result = np.zeros(shape)
    spread = [1] * values.ndim
    spread[axis] = -1
    for index, weight in _used(drawn, offset, values.shape[axis]):
        result += np.take(values, index, axis) * weight.reshape(spread)
    return result


def any_missing(missing: NDArray[np.bool_], axis: int, drawn: Taps, offset: int) -> NDArray[np.bool_]:
    """Whether any source pixel drawn on along one axis, with a weight above 0, is missing."""
    shape = list(missing.shape)
    shape[axis] = len(drawn.inside)
    result = np.zeros(shape, dtype=np.bool_)
    spread = [1] * missing.ndim
    spread[axis] = -1
    for index, weight in _used(drawn, offset, missing.shape[axis]):
        result |= np.take(missing, index, axis) & (weight != 0).reshape(spread)
    return result


def _used(drawn: Taps, offset: int, size: int) -> list[tuple[NDArray[np.intp], NDArray[np.float64]]]:
    """Columns of the taps that are used by any pixel inside, as positions in the window."""
    weights = np.where(drawn.inside[:, None], drawn.weight, 0.0)
    columns = [k for k in range(weights.shape[1]) if weights[:, k].any()]
    indices = np.clip(drawn.pixel - offset, 0, size - 1)
    return [(indices[:, k], weights[:, k]) for k in columns]
