"""Every file that a scene reads on this machine, so that nothing is ever written over one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mpmm.errors import SceneError
from mpmm.scene.array_names import array_name
from mpmm.scene.containers import file_behind
from mpmm.scene.files import SIDECARS, find_files
from mpmm.scene.modality import Modality
from mpmm.scene.scene import Scene
from mpmm.scene.vector_names import is_vector, vector_files
from mpmm.scene.vrt import is_vrt, vrt_sources

if TYPE_CHECKING:
    from mpmm.scene import modality_files, raster
else:
    import lazy_loader

    # settings name this file's functions; only a rank that opens rasters loads what does
    modality_files = lazy_loader.load("mpmm.scene.modality_files", suppress_warning=True)
    raster = lazy_loader.load("mpmm.scene.raster", suppress_warning=True)

# the name of a scene in the errors of this file, which are caught in it
_WHO = "inputs"


def scene_files(scene: Scene, more: Iterable[str] = ()) -> Iterator[Path]:
    """Every file that a scene reads: rasters, what belongs to them, and the folders of its cache.

    ``more`` names rasters or tables besides, as the scene's own are named.
    What is missing or cannot be opened is no error here; a missing file is given under its name to be.
    """
    for modality in scene.modalities:
        yield from _product_files(scene, modality)
    for file in _found_files(scene, more, scene.own_files().holds):
        yield from raster_files(file)
    yield from _cached(scene)


def named_files(scene: Scene, more: Iterable[str] = ()) -> Iterator[Path]:
    """What of `scene_files` is known without a raster being opened.

    It is enough for an output that is yet to be made: folders that are read are among it, and files that are
    missing; what only an open raster tells of are files that are there. A pattern gives all that it matches.
    """
    for file in _found_files(scene, more):
        yield from _known_files(file)
    yield from _cached(scene)


def _found_files(
    scene: Scene, more: Iterable[str], leave_out: Callable[[Path], bool] | None = None
) -> Iterator[Path]:
    """The files that a scene's settings name; what is missing under its name to be."""
    labels = () if scene.labels is None else (scene.labels.file,)
    for name in (*labels, *(name for modality in scene.modalities for name in modality.files), *more):
        try:
            yield from find_files(scene.folder, [name], _WHO, leave_out)
        except SceneError:
            yield scene.folder / name


def _cached(scene: Scene) -> Iterator[Path]:
    """The folders of a scene's cache."""
    return (marker.parent for marker in scene.cache_folder.glob("*/ready.json"))


def _product_files(scene: Scene, modality: Modality) -> Iterator[Path]:
    """The files of a modality's products; none where these cannot be opened."""
    if modality.product is None:
        return
    try:
        for path in modality_files.modality_files(scene.folder, modality):
            with raster.open_dataset(path, _WHO) as dataset:
                yield from map(Path, dataset.files)
    except SceneError:
        return


def raster_files(path: Path) -> Iterator[Path]:
    """The files that a raster is made of: its own, those beside it, and all that a VRT draws on."""
    yield from _known_files(path)
    if is_vector(path) or array_name(path) is not None:
        return
    try:
        with raster.open_dataset(path, _WHO) as dataset:
            yield from (file_behind(Path(file)) for file in dataset.files)
    except (SceneError, OSError):
        return


def _known_files(path: Path) -> Iterator[Path]:
    """Those of a raster's files that are known while it is closed."""
    if is_vector(path):
        yield from vector_files(path)
        return
    sources = [source.path for source in vrt_sources(path)] if is_vrt(path) else []
    for file in (file_behind(path), *sources):
        yield file
        yield from _beside(file)


def _beside(path: Path) -> Iterator[Path]:
    """Headers, masks, overviews and metadata that lie beside a raster."""
    for suffix in (*SIDECARS, ".aux.xml"):
        for name in (path.with_suffix(suffix), Path(f"{path}{suffix}")):
            yield from (file for file in (name, name.with_suffix(suffix.upper())) if file.is_file())
