"""Finds the files of a benchmark scene under a folder, and describes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mpmm.errors import SceneError
from mpmm.scene.array_choice import arrays_in
from mpmm.scene.array_files import ROIS
from mpmm.scene.benchmarks import BENCHMARKS, Benchmark, BenchmarkName, CubeFile
from mpmm.scene.labels import Labels, LandCover
from mpmm.scene.modality import Modality
from mpmm.scene.palette import color_of
from mpmm.scene.scene import Scene


def benchmark_scene(
    name: BenchmarkName, folder: Path, rgb: bool = False, cache: Path | None = None, partly: bool = False
) -> Scene:
    """Find the files of a benchmark scene of one cube, such as Indian Pines, and describe them.

    Parameters
    ----------
    name
        "indian_pines", "pavia_university", "pavia_centre", "salinas", "ksc", "botswana", "houston2013" or
        "samson".
    folder
        The folder with the files as they are published, or the one above it; upper and lower case in files'
        names count as the same.
    rgb
        Whether three bands of the cube are a second modality, ``rgb``.
    cache
        Where the aligned scene is kept; None: ``.mpmm_cache`` in the folder.
    partly
        Whether files may be missing because they lie on another machine; these are described all the same.

    Raises
    ------
    SceneError
        Where a file is missing: what was looked for, and where; or where it is damaged.
    """
    if not (folder.is_dir() or partly):
        raise SceneError(f"{name}: folder {folder} does not exist", "name the folder that holds its files")
    benchmark = BENCHMARKS[name]
    cube_file = _file(name, folder, [cube.name for cube in benchmark.cubes], partly)
    labels_file = _file(name, folder, [file for file, _ in benchmark.labels], partly)
    cube = next(cube for cube in benchmark.cubes if _is_called(cube_file, cube.name))
    variable = next(array for file, array in benchmark.labels if _is_called(labels_file, file))
    classes = tuple(
        LandCover(number, title, color_of(number - 1))
        for number, title in enumerate(benchmark.classes, start=1)
    )
    hsi = _cube(benchmark, cube, _array(folder, cube_file, cube.variable, "hsi"))
    labels = Labels(_array(folder, labels_file, variable, "labels"), classes, position="none")
    return Scene(folder, labels, (hsi, _colours(benchmark, hsi)) if rgb else (hsi,), cache)


def _cube(benchmark: Benchmark, cube: CubeFile, file: str) -> Modality:
    wavelengths = None
    if benchmark.wavelengths is not None:
        wavelengths = tuple(np.linspace(*benchmark.wavelengths, cube.bands).tolist())
    return Modality("hsi", (file,), drop_bands=cube.drop, position="none", wavelengths=wavelengths)


def _colours(benchmark: Benchmark, hsi: Modality) -> Modality:
    """Three bands of a cube, as red, green and blue."""
    return Modality("rgb", hsi.files, bands=benchmark.rgb, position="none", wavelengths=hsi.wavelengths)


def _file(benchmark: str, folder: Path, names: Sequence[str], partly: bool) -> Path:
    """The first of these files that is there, relative to the folder."""
    files = [*sorted(folder.glob("*")), *sorted(folder.glob("*/*"))]
    for name in names:
        for path in files:
            if _is_called(path, name):
                return path.relative_to(folder)
    if partly:
        return Path(names[0])
    raise SceneError(
        f"{benchmark}: {' or '.join(names)} is missing: looked for in {folder} and the folders in it",
        "name the folder that holds it; its files are given out under this name",
    )


def _is_called(path: Path, name: str) -> bool:
    return path.name.lower() == name.lower()


def _array(folder: Path, file: Path, variable: str, who: str) -> str:
    """Name of the published array in a file; where that has it under another name, the only one is taken."""
    array, _, view = variable.partition(":")
    if array == ROIS:
        return f"{file}:{ROIS}"
    known = (folder / file).exists() and array in arrays_in(folder / file, who)
    return ":".join(part for part in (str(file), array if known else "", view) if part)
