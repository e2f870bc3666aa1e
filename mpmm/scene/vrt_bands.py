"""Where each band of a VRT comes from: bands of which files, and which of its pixels these cover."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from mpmm.scene.vrt import is_vrt, leading_int, named_file, parse_vrt

# left, top, right, bottom, in pixels
Box = tuple[float, float, float, float]
PixelBox = tuple[int, int, int, int]
# pixels that from here on have a source (True), or are in a source's own gap (False); later ones count
Paint = tuple[PixelBox, bool]
# a file that is no VRT, and its band
Leaf = tuple[Path, int]
# bands that are mosaics of sources; what others (raw, warped, sharpened, processed) leave out is not told
_MOSAICS = (None, "VRTSourcedRasterBand", "VRTDerivedRasterBand")
# elements of a band that draw on a file
_SOURCES = ("SimpleSource", "ComplexSource", "AveragedSource", "KernelFilteredSource", "NoDataFromMaskSource")
# of those, elements that leave values out, and that give them others
_LEAVING_OUT = ("NODATA", "UseMaskBand")
_CHANGING = ("ScaleOffset", "ScaleRatio", "Exponent", "LUT", "ColorTableComponent")
# how far, in pixels, GDAL lets a source's border be beside that of a pixel
_NEAR = 0.001
# cells of the lattice on which gaps are looked for; beyond them there are taken to be some
_MOST_CELLS = 2**25


@dataclass(frozen=True)
class BandSource:
    """A file that a band of a VRT draws on.

    Attributes
    ----------
    path, band
        The file, None where it is no plain one, and its band, counted from 1; 0 for its mask.
    box, target
        The part that is taken, and where it goes to; None: all of it, as it lies.
    size
        Columns and rows that the VRT says the file has; None where it does not.
    is_see_through
        Whether some of its values are left out, so that earlier sources are seen there.
    is_changed
        Whether its values are scaled, or looked up in a table.
    """

    path: Path | None
    band: int
    box: Box | None = None
    target: Box | None = None
    size: tuple[int, int] | None = None
    is_see_through: bool = False
    is_changed: bool = False


@dataclass(frozen=True)
class VrtBand:
    """A band of a VRT: what it draws on, and whether sources alone give it values."""

    sources: tuple[BandSource, ...]
    is_mosaic: bool
    is_derived: bool = False


class VrtBands:
    """The bands of a VRT and of the VRTs behind it, each file read once."""

    def __init__(self, vrt: Path) -> None:
        self.vrt = vrt
        self._known: dict[Path, tuple[tuple[int, int], tuple[VrtBand, ...]]] = {}

    def covered(self) -> dict[int, tuple[Paint, ...]]:
        """By band, counted from 1, what sources cover; only of bands that they leave a part of without.

        Boxes of pixels are to be painted one after the other, over pixels that have no source.
        """
        numbers = range(1, len(self._read(self.vrt)[1]) + 1)
        boxes = {number: self._covered(self.vrt, number, ()) for number in numbers}
        return {number: covered for number, covered in boxes.items() if covered is not None}

    def leaves(self, changed: bool = True) -> tuple[tuple[Leaf, ...], ...]:
        """For each band the bands of other files that it is made of; none of a band that is computed.

        Without ``changed`` those alone whose values are taken as they are.
        """
        numbers = range(1, len(self._read(self.vrt)[1]) + 1)
        return tuple(tuple(self._leaves(self.vrt, number, changed, ())) for number in numbers)

    def _read(self, vrt: Path) -> tuple[tuple[int, int], tuple[VrtBand, ...]]:
        if vrt not in self._known:
            root = parse_vrt(vrt.read_bytes())
            self._known[vrt] = ((0, 0), ()) if root is None else (_size(root), tuple(_bands(root, vrt)))
        return self._known[vrt]

    def _covered(self, vrt: Path, number: int, above: tuple[Path, ...]) -> tuple[Paint, ...] | None:
        """What sources cover of a band; None where that is all, or cannot be told."""
        (columns, rows), bands = self._read(vrt)
        if not 1 <= number <= len(bands) or not bands[number - 1].is_mosaic or vrt in above:
            return None
        whole: Box = (0, 0, columns, rows)
        every = (self._paints(source, whole, (*above, vrt)) for source in bands[number - 1].sources)
        paints = tuple(paint for paints in every for paint in paints)
        return None if _fill(paints, columns, rows) else paints

    def _paints(self, source: BandSource, whole: Box, above: tuple[Path, ...]) -> Iterator[Paint]:
        """What one source covers of a VRT."""
        size, parts = source.size, None
        if source.path is not None and is_vrt(source.path):
            size = self._read(source.path)[0]
            parts = self._covered(source.path, source.band, above)
        if size is None:
            yield _outwards(whole if source.target is None else _common(source.target, whole)), True
            return
        box = source.box or (0.0, 0.0, *size)
        target = source.target or box
        drawn = _outwards(_common(_moved(_common((0, 0, *size), box), box, target), whole))
        for part, has_source in (((0, 0, *size), False), *(parts or ())) if parts is not None else ():
            if has_source or not source.is_see_through:
                inner = _centres(_moved(_common(part, box), box, target))
                yield _pixels(_common(inner, drawn)), has_source
        if parts is None:
            yield drawn, True

    def _leaves(self, vrt: Path, number: int, changed: bool, above: tuple[Path, ...]) -> Iterator[Leaf]:
        bands = self._read(vrt)[1]
        if not 1 <= number <= len(bands) or bands[number - 1].is_derived or vrt in above:
            return
        for source in bands[number - 1].sources:
            if source.path is None or not source.band or (source.is_changed and not changed):
                continue
            if is_vrt(source.path):
                yield from self._leaves(source.path, source.band, changed, (*above, vrt))
            else:
                yield source.path, source.band


def painted(paints: Iterable[Paint], window: Window) -> NDArray[np.bool_]:
    """Which pixels of a window, (rows, columns), have a source."""
    inside = np.zeros((int(window.height), int(window.width)), np.bool_)
    row, column = int(window.row_off), int(window.col_off)
    for (left, top, right, bottom), has_source in paints:
        across = slice(max(0, left - column), max(0, right - column))
        inside[max(0, top - row) : max(0, bottom - row), across] = has_source
    return inside


def _size(root: Element) -> tuple[int, int]:
    return leading_int(root.get("rasterXSize"), 0), leading_int(root.get("rasterYSize"), 0)


def _bands(root: Element, vrt: Path) -> Iterator[VrtBand]:
    """Bands in the order of the VRT, which is how GDAL numbers them."""
    elsewhere = dict(_mapped(root, vrt))
    for number, band in enumerate(root.findall("VRTRasterBand"), start=1):
        sources = tuple(_source(element, vrt) for element in band if element.tag in _SOURCES)
        kind = band.get("subClass")
        is_derived = kind == "VRTDerivedRasterBand"
        # what is computed may draw on nothing, and an array's extent is not told
        is_mosaic = kind in _MOSAICS and band.find("ArraySource") is None and not (is_derived and not sources)
        yield VrtBand(sources or elsewhere.get(number, ()), is_mosaic, is_derived)


def _mapped(root: Element, vrt: Path) -> Iterator[tuple[int, tuple[BandSource, ...]]]:
    """Bands of warped and sharpened VRTs, whose sources are named apart from them."""
    warped = root.find("GDALWarpOptions/SourceDataset")
    path = None if warped is None else named_file(warped, vrt)
    if path is not None:
        for pair in root.iterfind("GDALWarpOptions/BandList/BandMapping"):
            yield leading_int(pair.get("dst"), 0), (BandSource(path, leading_int(pair.get("src"), 0)),)
    for element in root.iterfind("PansharpeningOptions/SpectralBand"):
        yield leading_int(element.get("dstBand"), 0), (_source(element, vrt),)


def _source(element: Element, vrt: Path) -> BandSource:
    """The file that a source names, and which part of it goes where."""
    name = element.find("SourceFilename")
    path = None if name is None or (name.text or "").startswith("vrt://") else named_file(name, vrt)
    about = element.find("SourceProperties")
    size = None if about is None else (_side(about, "RasterXSize"), _side(about, "RasterYSize"))
    number = leading_int(element.findtext("SourceBand"), 1)
    left_out, changed = (
        any(element.find(key) is not None for key in keys) for keys in (_LEAVING_OUT, _CHANGING)
    )
    boxes = _box(element, "SrcRect"), _box(element, "DstRect")
    return BandSource(path, number, *boxes, size, left_out, changed)


def _side(element: Element, key: str) -> int:
    return leading_int(element.get(key), 0)


def _box(element: Element, name: str) -> Box | None:
    rect = element.find(name)
    if rect is None:
        return None
    try:
        left, top, width, height = (float(rect.get(key, "")) for key in ("xOff", "yOff", "xSize", "ySize"))
    except ValueError:
        return None
    box = left, top, left + width, top + height
    if not all(abs(side) < 2**31 for side in box):
        return None
    return box if width > _NEAR and height > _NEAR else (0.0, 0.0, 0.0, 0.0)


def _common(first: Box, second: Box) -> Box:
    """What two boxes have in common; of no width or height where that is nothing."""
    left, top = max(first[0], second[0]), max(first[1], second[1])
    return left, top, max(left, min(first[2], second[2])), max(top, min(first[3], second[3]))


def _moved(part: Box, box: Box, target: Box) -> Box:
    """Where a part of a box lies when the box is stretched over a target."""
    across, down = (
        (target[i + 2] - target[i]) / (box[i + 2] - box[i]) if box[i + 2] > box[i] else 0.0 for i in (0, 1)
    )
    left, top = target[0] + (part[0] - box[0]) * across, target[1] + (part[1] - box[1]) * down
    return left, top, left + (part[2] - part[0]) * across, top + (part[3] - part[1]) * down


def _outwards(box: Box) -> PixelBox:
    """The pixels that a box touches, as GDAL writes them."""
    if box[2] - box[0] <= _NEAR or box[3] - box[1] <= _NEAR:
        return 0, 0, 0, 0
    left, top = (math.floor(side + _NEAR) for side in box[:2])
    right, bottom = (math.ceil(side - _NEAR) for side in box[2:])
    return left, top, right, bottom


def _centres(box: Box) -> Box:
    """The pixels whose centres lie in a box: those that take the nearest of its own."""
    left, top, right, bottom = (math.ceil(side - 0.5) for side in box)
    return left, top, right, bottom


def _pixels(box: Box) -> PixelBox:
    left, top, right, bottom = map(int, box)
    return left, top, right, bottom


def _fill(paints: tuple[Paint, ...], columns: int, rows: int) -> bool:
    """Whether boxes cover all pixels, seen on the lattice of their borders."""
    sides = np.array([*(box for box, _ in paints), (0, 0, columns, rows)], np.int64)
    across, down = np.unique(sides[:, [0, 2]]), np.unique(sides[:, [1, 3]])
    if len(across) * len(down) > _MOST_CELLS:
        return False
    cells = np.zeros((len(down) - 1, len(across) - 1), np.bool_)
    lefts, rights = np.searchsorted(across, sides[:-1, 0]), np.searchsorted(across, sides[:-1, 2])
    tops, bottoms = np.searchsorted(down, sides[:-1, 1]), np.searchsorted(down, sides[:-1, 3])
    for k, (_, has_source) in enumerate(paints):
        cells[tops[k] : bottoms[k], lefts[k] : rights[k]] = has_source
    return bool(cells.all())
