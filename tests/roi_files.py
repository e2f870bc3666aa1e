"""Writes ENVI's text of regions of interest, as the Houston contest's samples came."""

from __future__ import annotations

from pathlib import Path

import numpy as np

COLUMNS = ";   ID    X    Y       Map X       Map Y         Lat          Lon"


def write_rois(path: Path, ids: np.ndarray, names: list[str], columns: str = COLUMNS) -> None:
    """Write region k where ``ids`` is k: all headers first, then the pixels, region by region."""
    regions = range(1, len(names) + 1)
    lines = ["; ENVI Output of ROIs (5.0) [Mon Feb 18 12:00:00 2013]", f"; Number of ROIs: {len(names)}"]
    lines.append(f"; File Dimension: {ids.shape[1]} x {ids.shape[0]}")
    for region, name in zip(regions, names, strict=True):
        points = int((ids == region).sum())
        lines += [";", f"; ROI name: {name}", "; ROI rgb value: {0, 205, 0}", f"; ROI npts: {points}"]
    lines.append(columns)
    for region in regions:
        pixels = [*zip(*np.nonzero(ids == region), strict=True)]
        lines += [
            f"{i:6d}{column + 1:5d}{row + 1:5d}  2.7e5  3.3e6  29.7  -95.3"
            for i, (row, column) in enumerate(pixels, 1)
        ]
        lines.append("")
    path.write_text("\n".join(lines), newline="\r\n")
