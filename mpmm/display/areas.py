"""Areas and accuracies of a map's classes as a table in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from mpmm.results import AreaEstimate, SampledShare, percent
from mpmm.scene import LandCover

# of a hectare
_SQUARE_METRES = 10_000


def area_table(estimate: AreaEstimate, classes: Sequence[LandCover], pixel_area: float | None) -> Table:
    """Mapped and estimated area, user's and producer's accuracy, each with its 95% interval: a row a class.

    Parameters
    ----------
    estimate
        What the map and the sample say.
    classes
        In the same order.
    pixel_area
        Square metres of a pixel; None: areas are told in pixels.
    """
    unit, size = ("pixels", 1.0) if pixel_area is None else ("ha", pixel_area / _SQUARE_METRES)
    table = Table(title="Area and accuracy, ± half a 95% interval", title_justify="left", box=SIMPLE_HEAD)
    table.add_column("class")
    headings = ("sample", f"mapped {unit}", f"area {unit}", "area %", "user's %", "producer's %")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    whole = estimate.pixels * size
    digits = 0 if pixel_area is None or whole >= 10_000 else 2
    for row, cover in zip(estimate.classes, classes, strict=True):
        name = Text.assemble(("■ ", cover.color), row.name)
        mapped, area = f"{row.mapped * size:,.{digits}f}", _ground(row.area, whole, digits)
        ends = (in_percent(each) for each in (row.area, row.users, row.producers))
        table.add_row(name, str(row.sampled), mapped, area, *ends)
    return table


def in_percent(figure: SampledShare) -> str:
    """A share in percent with half its interval, "-" where it is not defined."""
    if figure.value is None:
        return "-"
    return f"{percent(figure.value)} ± {percent(figure.half)}"


def _ground(area: SampledShare, whole: float, digits: int) -> str:
    assert area.value is not None, "an area is always defined"
    assert area.half is not None, "and so is its interval"
    return f"{area.value * whole:,.{digits}f} ± {area.half * whole:,.{digits}f}"
