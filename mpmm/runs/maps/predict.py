"""`mpmm.predict_map`: class maps from Python."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from mpmm.display import Console
from mpmm.errors import RunError
from mpmm.mapping import NO_PROBABILITY, STEPS, Edge, Window
from mpmm.results import CheckpointName
from mpmm.runs.maps.job import Job, MapOptions, check_outputs
from mpmm.runs.maps.target import TargetGrid, ground
from mpmm.runs.maps.trained import Trained
from mpmm.runs.overrides import overridden
from mpmm.runs.process_group import use_threads
from mpmm.runs.run import Run
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


class MapSettings(TypedDict, total=False):
    """What a map holds and how it is computed.

    Attributes
    ----------
    probabilities, confidence
        Whether to keep each class's probability, and that of the chosen class.
    window
        Row, column, height and width of the part to map, counted in pixels from 0; all by default.
    edge
        "nodata": pixels without a whole patch in the scene are not classified; "reflect": the scene is
        mirrored at its borders.
    memory
        GiB that the arrays of the computation may take; 1 by default.
    threads
        All cores by default.
    checkpoint
        "best" or "last".
    like
        A raster whose grid is taken instead of the labels'; the scene then needs no labels.
    pixel_size, extent
        Or edge of a pixel, and west, south, east, north, in the coordinates of the network's first modality.
    force_bands
        Whether the scene's bands are taken as they come, whatever its files say of them.
    """

    probabilities: bool
    confidence: bool
    window: tuple[int, int, int, int] | None
    edge: Edge
    memory: float
    threads: int | None
    checkpoint: CheckpointName
    like: Path | str | None
    pixel_size: float | None
    extent: tuple[float, float, float, float] | None
    force_bands: bool


def predict_map(
    run: Run | Path | str,
    scene: Scene | Config | Path | str | None = None,
    *,
    output: Path | str | None = None,
    progress: bool = True,
    **settings: Unpack[MapSettings],
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
    progress
        Show it on standard output.
    probabilities, confidence, window, edge, memory, threads, checkpoint, like, pixel_size, extent,
    force_bands
        What the map holds and how it is computed; see `MapSettings`.

    Raises
    ------
    MpmmError
        Run, scene and settings do not fit each other, or a file cannot be written.

    Examples
    --------
    >>> classified = mpmm.predict_map("runs/first", output="map.tif")  # doctest: +SKIP
    >>> first = classified.classes[0]  # doctest: +SKIP
    >>> print(first.name, (classified.ids == first.id).mean())  # doctest: +SKIP
    """
    console = Console(quiet=not progress)
    with ExitStack() as stack:
        path = Path(output) if output is not None else _scratch(stack) / "map.tif"
        options = _options(path, settings)
        trained = Trained.open(run.folder if isinstance(run, Run) else Path(run), options.checkpoint)
        threads = use_threads(overridden(trained.config, threads=options.threads))
        source = _settled(scene, trained)
        config = Path(scene) if isinstance(scene, Path | str) else None
        check_outputs(options, trained.inputs(source, config))
        aligned = ground(trained, source, options.target, console, options.force_bands)
        job = Job.prepare(trained, aligned, options, threads)
        stack.enter_context(job.work.locked())
        job.compute(console, lambda: False)
        rasters = {spec.name: np.array(job.work.raster(spec)) for spec in job.mapper.raster_specs}
        files = () if output is None else job.finish(console)
    return ClassMap(
        ids=rasters["classes"][0],
        nodata=job.mapper.raster_specs[0].nodata,
        classes=trained.classes,
        grid=job.grid,
        confidence=_shares(rasters["confidence"][0]) if options.confidence else None,
        probabilities=_shares(rasters["probabilities"]) if options.probabilities else None,
        files=files,
    )


def _options(output: Path, settings: MapSettings) -> MapOptions:
    window, like = settings.get("window"), settings.get("like")
    defaults = MapOptions(output)
    return MapOptions(
        output=output,
        probabilities=settings.get("probabilities", False),
        confidence=settings.get("confidence", False),
        region=None if window is None else Window(*window),
        edge=settings.get("edge", defaults.edge),
        memory=settings.get("memory", defaults.memory),
        threads=settings.get("threads"),
        checkpoint=settings.get("checkpoint", defaults.checkpoint),
        target=TargetGrid(
            None if like is None else Path(like), settings.get("pixel_size"), settings.get("extent")
        ),
        force_bands=settings.get("force_bands", False),
    )


def _scratch(stack: ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mpmm-map-")))


def _settled(scene: Scene | Config | Path | str | None, trained: Trained) -> Scene:
    if isinstance(scene, Scene):
        return scene
    if scene is None:
        config = trained.config
    else:
        config = scene if isinstance(scene, Config) else load_config(Path(scene))
    if config.further:
        names = ", ".join(each.title for each in config.scenes)
        raise RunError(f"there are {len(config.scenes)} scenes: {names}", "give one of run.config_.scenes")
    return config.scene


def _shares(steps: NDArray[Any]) -> Shares:
    return np.where(steps == NO_PROBABILITY, np.nan, steps / STEPS).astype(np.float32)
