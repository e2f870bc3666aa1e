"""`mpmm report`: everything a run folder says, as one HTML page."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from mpmm.display import Console, say, telling
from mpmm.errors import MpmmError, RunError
from mpmm.results import RunFolder, refuse_inputs
from mpmm.runs import Run

FILE = "report.html"


@click.command("report", short_help="Write a run's report, one HTML page.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="HTML",
    help="The page to write; report.html in the run folder by default.",
)
@click.option(
    "--map",
    "map_file",
    type=click.Path(path_type=Path),
    metavar="TIF",
    help="The run's class map; by default map.tif in the run folder, beside it or here, if the run made it. "
    "Of several scenes map-NAME.tif of each.",
)
def command(run: Path, output: Path | None, map_file: Path | None) -> None:
    """Write everything that RUN's folder says as one HTML page, which opens from disk and needs no network.

    \b
        mpmm report runs/first                         runs/first/report.html
        mpmm report runs/first --map classes.tif       with this map of it
        mpmm report runs/compare-scene                 what mpmm compare has left there

    Scores, curves, confusion matrix, map, patches, network, ranks over time, and the command to do it again.
    It shows what is there: a run that goes on, was killed or never scored has a report too, which says what
    is missing. The scene's own rasters are read for the map's background, where they are at hand.
    """
    # bokeh takes a second to import, which `mpmm --help` and wrong arguments need not wait for
    from mpmm.records import is_comparison, read_record
    from mpmm.report import write_comparison_report, write_run_report

    record = None if is_comparison(run) else read_record(run)
    page = run / FILE if output is None else output
    if not page.parent.is_dir():
        raise RunError(f"{page}: folder {page.parent} does not exist", "make it, or name another")
    refuse_inputs([page], _inputs(run, map_file))
    console = Console()
    if record is None:
        write_comparison_report(page, run)
    else:
        with telling(console) as progress:
            write_run_report(page, record, map_file, progress)
    say(console, "report", str(page))


def _inputs(run: Path, map_file: Path | None) -> list[Path]:
    """Files that the run, its report and its scene read, as far as the run folder tells."""
    inputs = [*RunFolder(run).read_files(), *([] if map_file is None else [map_file])]
    with suppress(MpmmError):
        inputs += Run.open(run).config_.read_files()
    return inputs
