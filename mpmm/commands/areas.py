"""Area and accuracy of a map by class, which `mpmm evaluate --area` prints and writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

# as a whole: evaluations that estimate no areas need not load what reads maps
from mpmm import runs
from mpmm.display import Console, area_table, in_percent, say
from mpmm.errors import RunError
from mpmm.messages import launched_ranks
from mpmm.results import make_folder, refuse_inputs, write_area_csv, write_json

if TYPE_CHECKING:
    from mpmm.runs import MapAreas

FILES = ("areas.json", "areas.csv")


def show_areas(run: Path, map_file: Path | None, sample: Path | None) -> None:
    """Estimate areas and accuracies from a map and a sample, print them and write them beside the run.

    Raises
    ------
    MpmmError
        A file cannot be used, or would be written over.
    """
    if map_file is None or sample is None:
        raise click.UsageError("areas need both: --area MAP --sample FILE")
    if launched_ranks() > 1:
        raise RunError("areas are estimated in one process", "start it without mpirun")
    areas = runs.map_areas(run, map_file, sample)
    folder = run / "evaluation" / f"area-{map_file.stem}"
    inputs = [map_file, sample, *runs.Run.open(run).config_.read_files()]
    refuse_inputs([folder, *(folder / name for name in FILES)], inputs, of_run=True)
    console = Console()
    console = console if console.is_terminal else Console(width=120)
    console.print(area_table(areas.estimate, areas.classes, areas.pixel_area))
    estimate = areas.estimate
    say(console, "overall", f"accuracy {in_percent(estimate.overall)} % of {estimate.pixels:,} mapped pixels")
    _say_sample(console, areas)
    make_folder(folder)
    write_json(folder / FILES[0], {"pixel_area": areas.pixel_area, **estimate.to_dict()})
    write_area_csv(folder / FILES[1], estimate)
    say(console, "written", str(folder))


def _say_sample(console: Console, areas: MapAreas) -> None:
    """Say what the figures rest on."""
    counted = int(areas.estimate.confusion.sum())
    left_out = f"; {areas.outside:,} more lie where the map has no class" if areas.outside else ""
    say(console, "sample", f"{counted:,} pixels, taken as drawn at random within each mapped class{left_out}")
