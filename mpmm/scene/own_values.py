"""What files themselves say of how their numbers become physical values, in words."""

from __future__ import annotations

from collections.abc import Sequence

from mpmm.scene.bands import IDENTITY
from mpmm.scene.plan import ModalityPlan
from mpmm.scene.products import title_of
from mpmm.scene.vrt_masks import uncovered_by_vrts


def own_values(plan: ModalityPlan) -> tuple[str, ...]:
    """Lines on the files' own scale, offset and unit, whether these are applied, and on lost masks."""
    lines = []
    own = [
        (tile, layer.mosaic.own_calibrations(tile)) for layer in plan.layers for tile in layer.mosaic.tiles
    ]
    if any(pair != IDENTITY for _, pairs in own for pair in pairs):
        applied = (
            "applied" if plan.modality.calibration is None else "not applied, as the configuration's are"
        )
        if len({pairs for _, pairs in own}) == 1:
            lines.append(f"the file's own {_words(own[0][1])}: {applied}")
        else:
            lines += [f"{title_of(tile.raster.path)}: own {_words(pairs)}: {applied}" for tile, pairs in own]
    units = dict.fromkeys(band.unit for band in plan.bands if band.unit)
    if units:
        lines.append(f"unit {', '.join(units)}")
    if any(band.palette for band in plan.bands):
        lines.append("values are indices of a palette; gdal_translate -expand rgb makes colours of them")
    return (*lines, *uncovered_by_vrts(plan))


def _words(pairs: Sequence[tuple[float, float]]) -> str:
    """Scale and offset, from the smallest to the largest where bands differ."""
    scale, offset = (_range(numbers) for numbers in zip(*pairs, strict=True))
    return f"scale {scale}, offset {offset}"


def _range(numbers: Sequence[float]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
