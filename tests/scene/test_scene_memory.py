"""Memory follows the window, not the scene."""

import subprocess
import sys

import numpy as np
import rasterio
from affine import Affine

MIB = 2**20
WINDOW, BLOCKS = 16 * MIB, 8 * MIB

_ALIGN = f"""
import sys
from functools import partial
from pathlib import Path
from mpmm.scene import Labels, Modality, Scene, aligning, preparing
aligning.BLOCK_CACHE_BYTES = {BLOCKS}
preparing.windows_of = partial(aligning.windows_of, budget={WINDOW})
modalities = (Modality("hsi", ("hsi.pix",)), Modality("rgb", ("rgb.tif",)))
scene = Scene(Path(sys.argv[1]), Labels("labels.tif"), modalities)
grid = scene.grid()
for name in sys.argv[2:]:
    scene.align_modality(name)
# not getrusage: its maximum is that of the process that started this one, if that was larger
(peak,) = [line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line]
print(int(peak.split()[1]) * 1024)
"""


def write_scene(folder, rows):
    """A grid of ``rows`` x 600: 60 bands of float32 at twice its pixel, RGB at a tenth."""
    corner = {"crs": "EPSG:26915", "dtype": "uint8"}

    def new(name, bands, pixel, height, width, **options):
        place = Affine(pixel, 0, 272056, 0, -pixel, 3290290)
        profile = {**corner, "count": bands, "height": height, "width": width, "transform": place, **options}
        return rasterio.open(folder / name, "w", **profile)

    random = np.random.default_rng(0)
    with new("labels.tif", 1, 0.5, rows, 600, driver="GTiff") as dataset:
        dataset.write(np.ones((1, rows, 600), np.uint8))
    with new("hsi.pix", 60, 1.0, rows // 2, 300, driver="ENVI", dtype="float32") as dataset:
        for band in range(1, 61):
            dataset.write(random.normal(size=(rows // 2, 300)).astype(np.float32), band)
    with new("rgb.tif", 3, 0.05, rows * 10, 6000, driver="GTiff", tiled=True) as dataset:
        for top in range(0, rows * 10, 1000):
            strip = np.full((3, 1000, 6000), top // 1000 % 250, np.uint8)
            dataset.write(strip, window=((top, top + 1000), (0, 6000)))


def peak_bytes(folder, *names):
    command = [sys.executable, "-c", _ALIGN, str(folder), *names]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_peak_memory_follows_the_window(tmp_path):
    peaks, nothing = {}, 0
    for rows in (200, 800):
        folder = tmp_path / str(rows)
        folder.mkdir()
        write_scene(folder, rows)
        nothing = nothing or peak_bytes(folder)
        peaks[rows] = {name: peak_bytes(folder, name) - nothing for name in ("hsi", "rgb")}
    aligned_hsi, source_rgb = 800 * 600 * 60 * 4, 8000 * 6000 * 3
    assert peaks[800]["hsi"] < aligned_hsi / 2
    assert peaks[800]["rgb"] < source_rgb / 2
    for name in ("hsi", "rgb"):
        assert peaks[800][name] < WINDOW + BLOCKS + 16 * MIB
        assert peaks[800][name] < peaks[200][name] + 12 * MIB
