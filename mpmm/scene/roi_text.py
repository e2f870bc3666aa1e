"""Regions of interest as ENVI writes them as text, such as the Houston contest's samples: labels by pixel.

A file begins with its raster's size and names its regions; then come, region by region, the pixels:

    ; ENVI Output of ROIs (5.0) [Mon Feb 18 12:00:00 2013]
    ; Number of ROIs: 2
    ; File Dimension: 1905 x 349
    ;
    ; ROI name: grass_healthy
    ; ROI rgb value: {0, 205, 0}
    ; ROI npts: 198
    ;   ID    X    Y          Lat         Lon
        1  1135   27    29.724283  -95.345093
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# columns and rows of the raster
_SIZE = re.compile(r"File Dimensions?:\s*(\d+)\s*x\s*(\d+)")
_POINTS = re.compile(r"ROI npts:\s*(\d+)")


def roi_shape(file: Path) -> tuple[int, int]:
    """Rows and columns of the raster that regions are drawn on.

    Raises
    ------
    ValueError
        The file does not say them, so that it is none of ENVI's.
    """
    with file.open(encoding="latin-1") as lines:
        for line in lines:
            if not line.startswith(";"):
                break
            if (size := _SIZE.search(line)) is not None:
                return int(size[2]), int(size[1])
    raise ValueError("it has no line '; File Dimension: COLUMNS x ROWS', as ENVI's text of ROIs has")


def read_rois(file: Path) -> NDArray[np.uint16]:
    """Region of every pixel by its number in the file, from 1 on; 0 outside of all.

    Returns
    -------
    numpy.ndarray
        (rows, columns).

    Raises
    ------
    ValueError
        A region has other pixels than it says, one lies outside, or one lies in two regions.
    """
    ids = np.zeros(roi_shape(file), np.uint16)
    text = file.read_text(encoding="latin-1")
    counts = [int(count) for count in _POINTS.findall(text)]
    columns, rows = _column_and_row(text)
    if len(rows) != sum(counts):
        raise ValueError(f"its regions say that they have {sum(counts)} pixels, {len(rows)} are listed")
    inside = (rows >= 0) & (rows < ids.shape[0]) & (columns >= 0) & (columns < ids.shape[1])
    if not inside.all():
        first = int(np.flatnonzero(~inside)[0])
        raise ValueError(f"pixel X = {columns[first] + 1}, Y = {rows[first] + 1} lies outside of the raster")
    numbers = np.repeat(np.arange(1, len(counts) + 1, dtype=np.uint16), counts)
    ids[rows, columns] = numbers
    if (ids[rows, columns] != numbers).any():
        first = int(np.flatnonzero(ids[rows, columns] != numbers)[0])
        raise ValueError(f"pixel X = {columns[first] + 1}, Y = {rows[first] + 1} lies in two regions")
    return ids


def _column_and_row(text: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Positions of all pixels from 0, in the file's order; ENVI counts them from 1."""
    names: list[str] = []
    pixels: list[tuple[int, int]] = []
    for line in text.splitlines():
        if not line.startswith(";") and line.strip():
            if not names:
                raise ValueError("no line before its pixels names the columns X and Y")
            fields = line.split()
            pixels.append((int(fields[names.index("X")]) - 1, int(fields[names.index("Y")]) - 1))
        elif line.startswith(";") and {"X", "Y"} <= set(fields := line[1:].split()):
            names = fields
    positions = np.array(pixels, np.intp).reshape(-1, 2)
    return positions[:, 0], positions[:, 1]
