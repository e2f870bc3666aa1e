"""Maps two columns of windows of a large mapped scene and prints how many bytes the peak of memory rose.

map_large_scene.py LIMIT ROWS
"""

import resource
import sys
import tempfile
from pathlib import Path

import numpy as np
from mapping_examples import PAPER, classes, trained
from mpmm_kernels.runtime import set_threads

from mpmm.mapping import Mapper, ScenePixels, Window, WorkFolder, classifier_for, cut, raster_specs
from mpmm.patches import Normalization
from mpmm.scene import AlignedModality

LIMIT, ROWS, COLUMNS = int(sys.argv[1]), int(sys.argv[2]), 2000


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def mapped(folder: Path, name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """A file of zeros that takes no room on the disk."""
    path = folder / name
    with path.open("wb") as file:
        file.truncate(int(np.prod(shape)) * np.dtype(dtype).itemsize)
    return np.memmap(path, dtype, "r", shape=shape)


def main(folder: Path) -> int:
    set_threads(1)
    modalities, normalizations = {}, {}
    for stream in PAPER.streams:
        values = mapped(folder, stream.name, (ROWS, COLUMNS, stream.bands), np.float32)
        present = np.ones((ROWS, COLUMNS), bool)
        modalities[stream.name] = AlignedModality(stream.name, values, present, "standard", ())
        normalizations[stream.name] = Normalization.none(stream.bands)
    network = trained(PAPER)
    scene = ScenePixels(modalities, normalizations, dict.fromkeys(modalities, 13))
    region = Window(0, 0, ROWS, 400)
    windows, specs = cut(region), raster_specs(classes(4), True, True)
    # what is loaded once: kernels, small tiles
    small = classifier_for(network, scene, (8, 8), 1, 2**24)
    Mapper(network.spec, scene, small, classes(4), specs).map(Window(100, 100, 8, 8))
    before = peak()
    tiles = classifier_for(network, scene, (windows[0].height, windows[0].width), 1, LIMIT)
    mapper = Mapper(network.spec, scene, tiles, classes(4), specs)
    work = WorkFolder(folder / "work", region, windows, specs, {})
    with work.locked():
        for index in work.missing():
            work.put(index, mapper.map(windows[index]))
    return peak() - before


with tempfile.TemporaryDirectory() as temporary:
    print(main(Path(temporary)))
