"""One map to make: what it is laid out as, its windows, its files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from mpmm_kernels.runtime import compile_once

from mpmm._version import __version__
from mpmm.display import Console, Speed, duration, say, showing
from mpmm.errors import RunError
from mpmm.mapping import (
    Edge,
    Mapper,
    MapRaster,
    RasterName,
    Window,
    WindowScheduler,
    WorkFolder,
    checked_region,
    classifier_for,
    cut,
    largest_half,
    raster_specs,
    write_geotiff,
)
from mpmm.messages import Channel
from mpmm.network import parameters_sha256
from mpmm.results import CheckpointName, refuse_inputs
from mpmm.runs.maps.target import Ground, TargetGrid
from mpmm.runs.maps.trained import Trained
from mpmm.scene import AlignedModality, Grid, raster_files

GIB = 2**30


@dataclass(frozen=True)
class MapOptions:
    """What `mpmm map` was asked for.

    Attributes
    ----------
    output
        The class map; other rasters lie beside it.
    probabilities, confidence
        Whether to write them too.
    region
        The part to map; None: all.
    edge
        What to do where no whole patch fits.
    memory
        GiB that one rank's arrays may take.
    threads
        None: all cores.
    checkpoint
        "best" or "last".
    picture
        A PNG of labels and map, or None.
    target
        A grid other than the labels'.
    force_bands
        Whether the scene's bands are taken as they come, whatever its files say of them.
    scene_name
        Name of the one of several scenes to map; None: all.
    """

    output: Path
    probabilities: bool = False
    confidence: bool = False
    region: Window | None = None
    edge: Edge = "nodata"
    memory: float = 1.0
    threads: int | None = None
    checkpoint: CheckpointName = "best"
    picture: Path | None = None
    target: TargetGrid = field(default_factory=TargetGrid)
    force_bands: bool = False
    scene_name: str | None = None


@dataclass(frozen=True, eq=False)
class Job:
    """One map to make.

    Attributes
    ----------
    trained, ground, options
        What maps what, and how.
    mapper
        Computes windows.
    work
        Keeps what is done.
    """

    trained: Trained
    ground: Ground
    options: MapOptions
    mapper: Mapper
    work: WorkFolder

    @classmethod
    def prepare(cls, trained: Trained, ground: Ground, options: MapOptions, threads: int) -> Job:
        """Lay the map out."""
        pixels = trained.pixels(ground.modalities, options.edge)
        region = checked_region(options.region, *pixels.shape)
        windows = cut(region)
        memory = int(options.memory * GIB)
        classifier = classifier_for(trained.network, pixels, largest_half(windows), threads, memory)
        specs = raster_specs(trained.classes, options.confidence, options.probabilities)
        mapper = Mapper(trained.network.spec, pixels, classifier, trained.classes, specs)
        key = _key(trained, ground, options.edge)
        work = WorkFolder(work_folder(options.output), region, windows, specs, key)
        return cls(trained, ground, options, mapper, work)

    def introduce(self, console: Console, threads: str) -> None:
        """Say what is about to be done."""
        region, (rows, columns) = self.work.region, self.mapper.scene.shape
        part = "" if (region.height, region.width) == (rows, columns) else f" of {rows} x {columns}"
        size = f"{region.height} x {region.width}{part} pixels, {len(self.work.windows)} windows"
        say(console, "map", f"{self.options.output}: {size}")
        say(console, "network", f"{self.trained.folder}, checkpoint {self.options.checkpoint}")
        say(console, "method", self.mapper.classifier.describe())
        say(console, "threads", threads)

    def warm_up(self, console: Console) -> None:
        """Load the kernels, or compile them if this machine has not yet."""
        with compile_once(f"map {self.trained.network.spec} {self.mapper.classifier.describe()}") as cold:
            if cold:
                say(console, "compiling", "the kernels, once on this machine")
            self.mapper.warm_up()

    def compute(self, console: Console, stopped: Callable[[], bool], channel: Channel | None = None) -> None:
        """Map the missing windows, until all are there or it is stopped; together with the other ranks."""
        missing = self.work.missing()
        if len(missing) < len(self.work.windows):
            say(console, "going on", f"{len(missing)} of {len(self.work.windows)} windows are missing")
        self.warm_up(console)
        left = sum(self.work.windows[index].pixels for index in missing)

        def lost(rank: int, windows: int) -> None:
            """Say that a rank was killed with so many windows."""
            say(console, "lost", f"rank {rank} was killed; {windows} windows of its are dealt out again")

        speed = Speed(self.work.region.pixels - left, self.work.region.pixels)
        with showing(console, speed) as done:
            WindowScheduler(channel, self.mapper, self.work, done, stopped, lost).run()
        took = duration(speed.seconds)
        say(console, "mapped", f"{speed.fresh:,} pixels in {took}, {speed.rate:,.0f} pixels/s")

    @property
    def grid(self) -> Grid:
        """Where the map lies."""
        region = self.work.region
        return self.ground.grid.part(region.row, region.column, region.height, region.width)

    def finish(self, console: Console) -> tuple[Path, ...]:
        """Write the rasters and the picture, delete the work folder."""
        files = []
        # the class map last: where it stands, all of it stands
        for spec in reversed(self.mapper.raster_specs):
            path = raster_path(self.options.output, spec.name)
            pixels = self.work.raster(spec)
            raster = MapRaster(spec, pixels, self.grid, self.trained.classes, self._tags())
            write_geotiff(path, raster, self.work.path)
            say(console, "written", str(path))
            files.append(path)
        if self.options.picture is not None:
            # Matplotlib takes half a second to load
            from mpmm.pictures import draw_map

            inside = self.work.region.of(Window(0, 0, *self.ground.grid.shape))
            classes = self.work.raster(self.mapper.raster_specs[0])[0]
            labels = None if self.ground.labels is None else self.ground.labels[inside]
            scene = "" if self.options.scene_name is None else f", scene {self.options.scene_name}"
            title = f"{self.trained.folder.name}{scene}, checkpoint {self.options.checkpoint}"
            draw_map(self.options.picture, title, self.trained.classes, labels, classes)
            say(console, "picture", str(self.options.picture))
        self.work.remove()
        return tuple(reversed(files))

    def _tags(self) -> Mapping[str, str]:
        scene = {} if self.options.scene_name is None else {"MPMM_SCENE": self.options.scene_name}
        return {
            **scene,
            "MPMM_VERSION": __version__,
            "MPMM_RUN": self.trained.folder.resolve().name,
            "MPMM_CHECKPOINT": self.options.checkpoint,
            "MPMM_PARAMETERS_SHA256": parameters_sha256(self.trained.network),
        }


def raster_path(output: Path, name: RasterName) -> Path:
    """`map.tif` for the classes, `map-confidence.tif` and `map-probabilities.tif` beside it."""
    return output if name == "classes" else output.with_name(f"{output.stem}-{name}{output.suffix}")


def check_outputs(options: MapOptions, inputs: Iterable[Path]) -> None:
    """Refuse files that could not be written, or would be written over what is read, before any work.

    Parameters
    ----------
    options
        What is to be written.
    inputs
        Files that are read, besides the raster whose grid is taken.
    """
    _check_output(options.output, (".tif", ".tiff"), "maps are GeoTIFF files")
    if options.picture is not None:
        _check_output(options.picture, (".png",), "pictures are PNG files")
    like = () if options.target.like is None else raster_files(options.target.like)
    refuse_inputs(output_files(options), (*inputs, *like))


def output_files(options: MapOptions) -> Iterator[Path]:
    """Every file that a map is about to write, what lies beside its rasters too."""
    chosen = {"classes": True, "confidence": options.confidence, "probabilities": options.probabilities}
    for name in get_args(RasterName):
        if chosen[name]:
            path = raster_path(options.output, name)
            yield from (path, path.with_name(f"{path.name}.aux.xml"))
    work = work_folder(options.output)
    yield from (work, work.with_suffix(".lock"))
    if options.picture is not None:
        yield options.picture


def work_folder(output: Path) -> Path:
    """Where a map is kept while it is under way: beside the file to come."""
    return output.with_name(f".{output.name}.work")


def _check_output(path: Path, suffixes: tuple[str, ...], reason: str) -> None:
    if path.suffix.lower() not in suffixes:
        raise RunError(f"{path}: {reason}", f"give a name that ends in {suffixes[0]}")
    if not path.parent.is_dir():
        raise RunError(f"{path}: folder {path.parent} does not exist", "make it, or name another")
    if path.is_dir():
        raise RunError(f"{path}: is a folder", "give the name of a file")


def _key(trained: Trained, ground: Ground, edge: Edge) -> Mapping[str, object]:
    """What decides the pixels of a map besides its region and rasters."""
    return {
        "parameters": parameters_sha256(trained.network),
        "spec": str(trained.network.spec),
        "normalization": {name: values.to_dict() for name, values in trained.normalizations.items()},
        "scene": {name: _state(modality) for name, modality in ground.modalities.items()},
        "grid": str(ground.grid),
        "edge": edge,
        "version": __version__,
    }


def _state(modality: AlignedModality) -> list[object]:
    """Which file of the scene's cache this is."""
    filename = getattr(modality.values, "filename", None)
    if filename is None:
        return list(modality.values.shape)
    return [str(filename), Path(filename).stat().st_mtime_ns]
