"""`mpmm map`: classify every pixel of a scene."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from mpmm.commands.numbers import FiniteFloat
from mpmm.mapping import Edge, Window
from mpmm.results import CheckpointName
from mpmm.runs import MapOptions, TargetGrid, make_map, run_console

POSITIVE = FiniteFloat(min=0, min_open=True)
# more than any machine has, and little enough to be counted in bytes
MOST_GIB = 2**24


@click.command("map", short_help="Classify every pixel of a scene.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("scene", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("map.tif"),
    show_default=True,
    metavar="TIF",
    help="The class map to write.",
)
@click.option("--scene", "scene_name", metavar="NAME", help="Which of several scenes; by default all.")
@click.option("--probabilities", is_flag=True, help="Also write each class's probability, a band a class.")
@click.option("--force-bands", is_flag=True, help="Take SCENE's bands as they come, whatever its files say.")
@click.option("--confidence", is_flag=True, help="Also write the probability of the class that was chosen.")
@click.option(
    "--window",
    type=int,
    nargs=4,
    metavar="ROW COLUMN HEIGHT WIDTH",
    help="Map a part of the scene; counted in pixels from 0.",
)
@click.option(
    "--like",
    type=click.Path(path_type=Path),
    metavar="RASTER",
    help="Map on this raster's grid instead of the labels'; SCENE then needs no labels.",
)
@click.option("--pixel-size", type=POSITIVE, help="Or on a grid of pixels of this size ...")
@click.option(
    "--extent",
    type=FiniteFloat(),
    nargs=4,
    metavar="WEST SOUTH EAST NORTH",
    help="... over this extent, both in the coordinates of the network's first modality.",
)
@click.option(
    "--edge",
    type=click.Choice(get_args(Edge)),
    default="nodata",
    show_default=True,
    help="Where no whole patch fits: leave pixels unclassified, or mirror the scene.",
)
@click.option(
    "--memory",
    type=FiniteFloat(min=0, min_open=True, max=MOST_GIB),
    default=1.0,
    show_default=True,
    metavar="GIB",
    help="What one rank's arrays may take.",
)
@click.option("--threads", type=click.IntRange(min=1), help="Threads to compute with; all cores by default.")
@click.option(
    "--checkpoint",
    type=click.Choice(get_args(CheckpointName)),
    default="best",
    show_default=True,
    help="Parameters with the best validation accuracy, or those of the last step.",
)
@click.option(
    "--picture", type=click.Path(path_type=Path), metavar="PNG", help="Also draw labels and map side by side."
)
def command(
    run: Path,
    scene: Path | None,
    window: tuple[int, int, int, int] | None,
    like: Path | None,
    pixel_size: float | None,
    extent: tuple[float, float, float, float] | None,
    **given: object,
) -> int:
    """Classify every pixel of a scene with the network of RUN, and write the map as GeoTIFF.

    \b
        mpmm map runs/first                          the scene it was trained on, into map.tif
        mpmm map runs/first other.toml -o other.tif  another scene with the same modalities
        mpmm map runs/first --confidence --picture map.png
        mpmm map runs/towns --scene north            one of several scenes; by default map-NAME.tif of each

    The bands of another scene are brought into the training's order by wavelength or name; where these,
    units, scales or pixel sizes are not those of the training, or not known, it is refused.

    Each pixel gets the class that the patch around it would get; pixels without a whole patch, or with
    missing data in it, are not classified (0). Started again after an interruption, the same command goes on
    with the windows that are missing; the file appears when all are there.
    """
    region = None if window is None else Window(*window)
    target = TargetGrid(like, pixel_size, extent)
    options = MapOptions(region=region, target=target, **given)  # type: ignore[arg-type]
    ending = make_map(run, scene, options, run_console())
    return 0 if ending.interrupted is None else 130
