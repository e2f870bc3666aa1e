"""`mpmm.predict_map`: class maps from Python."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpmm.display import Console
from mpmm.mapping import NO_PROBABILITY, STEPS, Edge, Window
from mpmm.results import CheckpointName
from mpmm.runs.maps.job import Job, MapOptions, check_outputs
from mpmm.runs.maps.target import Place, ground
from mpmm.runs.maps.trained import Trained
from mpmm.runs.run import Run
from mpmm.runs.training import overridden, use_threads
from mpmm.scene import Grid, LandCover, Scene
from mpmm.settings import Config, load_config

Shares = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ClassMap:
    """A classified scene, or a part of one.

    Attributes
    ----------
    ids
        (rows, columns) of class ids; ``nodata`` where a pixel is not classified.
    nodata
        The id of pixels that are not classified.
    classes
        Id, name and colour of each class, in the order of ``probabilities``.
    grid
        Where the pixels lie.
    confidence
        (rows, columns) float32: probability of the chosen class in steps of 0.004, NaN where there is none;
        None if not asked for.
    probabilities
        (classes, rows, columns) float32, likewise.
    files
        The GeoTIFF files written; the class map first.
    """

    ids: NDArray[Any]
    nodata: int
    classes: tuple[LandCover, ...]
    grid: Grid
    confidence: Shares | None = None
    probabilities: Shares | None = None
    files: tuple[Path, ...] = ()


def predict_map(
    run: Run | Path | str,
    scene: Scene | Config | Path | str | None = None,
    *,
    output: Path | str | None = None,
    probabilities: bool = False,
    confidence: bool = False,
    window: tuple[int, int, int, int] | None = None,
    edge: Edge = "nodata",
    memory: float = 1.0,
    threads: int | None = None,
    checkpoint: CheckpointName = "best",
    like: Path | str | None = None,
    pixel_size: float | None = None,
    extent: tuple[float, float, float, float] | None = None,
    progress: bool = True,
) -> ClassMap:
    """Classify every pixel of a scene with a trained network, in this process.

    Parameters
    ----------
    run
        The trained run, or its folder.
    scene
        What to map, also as a configuration or the path of one; by default the scene of the run.
    output
        Also write the map as GeoTIFF, as ``mpmm map`` does; started again after an interruption, it goes on
        with the windows that are missing.
    probabilities, confidence
        Whether to keep each class's probability, and that of the chosen class.
    window
        Row, column, height and width of the part to map, counted in pixels from 0; all by default.
    edge
        "nodata": pixels without a whole patch in the scene are not classified; "reflect": the scene is
        mirrored at its borders.
    memory
        GiB that the arrays of the computation may take.
    threads
        All cores by default.
    checkpoint
        "best" or "last".
    like
        A raster whose grid is taken instead of the labels'; the scene then needs no labels.
    pixel_size, extent
        Or edge of a pixel, and west, south, east, north, in the coordinates of the network's first modality.
    progress
        Show it on standard output.

    Raises
    ------
    MpmmError
        Run, scene and settings do not fit each other, or a file cannot be written.

    Examples
    --------
    >>> found = mpmm.predict_map("runs/first", output="map.tif")  # doctest: +SKIP
    >>> print(found.classes[0].name, (found.ids == found.classes[0].id).mean())  # doctest: +SKIP
    """
    console = Console(quiet=not progress)
    trained = Trained.open(run.folder if isinstance(run, Run) else Path(run), checkpoint)
    place = Place(None if like is None else Path(like), pixel_size, extent)
    used = use_threads(overridden(trained.config, threads=threads))
    with ExitStack() as stack:
        path = Path(output) if output is not None else _scratch(stack) / "map.tif"
        region = None if window is None else Window(*window)
        options = MapOptions(
            path, probabilities, confidence, region, edge, memory, threads, checkpoint, None, place
        )
        check_outputs(options)
        job = Job.prepare(trained, ground(trained, _settled(scene, trained), place, console), options, used)
        stack.enter_context(job.work.locked())
        job.compute(console, lambda: False)
        rasters = {spec.name: np.array(job.work.raster(spec)) for spec in job.mapper.raster_specs}
        files = () if output is None else job.finish(console)
    return ClassMap(
        ids=rasters["classes"][0],
        nodata=job.mapper.raster_specs[0].nodata,
        classes=trained.classes,
        grid=job.grid,
        confidence=_shares(rasters["confidence"][0]) if confidence else None,
        probabilities=_shares(rasters["probabilities"]) if probabilities else None,
        files=files,
    )


def _scratch(stack: ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mpmm-map-")))


def _settled(scene: Scene | Config | Path | str | None, trained: Trained) -> Scene:
    if scene is None:
        return trained.config.scene
    if isinstance(scene, Scene):
        return scene
    return scene.scene if isinstance(scene, Config) else load_config(Path(scene)).scene


def _shares(steps: NDArray[Any]) -> Shares:
    return np.where(steps == NO_PROBABILITY, np.nan, steps / STEPS).astype(np.float32)
