"""The small scenes of bug reports: labels, a cube of eight bands, and a configuration that works."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from click.testing import CliRunner, Result

from mpmm.commands.check import command as check
from mpmm.errors import MpmmError

ROOT = Path(__file__).resolve().parents[2]
SIDE, BANDS = 48, 8
UTM = "EPSG:32632"
MAP_INFO = "map info = {UTM, 1, 1, 500000, 5000000, 1, 1, 32, North, WGS-84, units=Meters}"
CONFIG = """\
[scene]

[scene.labels]
file = "labels.tif"

[scene.modalities.hsi]
files = ["hsi.tif"]

[patches]
size = 5
per_class = 30

[training]
epochs = 2
batch = 30

[network]
kernels = "reference"
fusion = [{ units = 8 }]

[network.streams.hsi]
blocks = [ { filters = 4, kernel = [1, 3, 3], window = [1, 1, 1] } ]
dense = [{ units = 8 }]

# several would wait for each other longer than they compute
[layout]
threads = 1
"""


def labels() -> np.ndarray:
    """Ids 1, 2 and 3 in three upright stripes, uint8 (48, 48)."""
    return np.repeat(np.repeat(np.array([[1, 2, 3]], np.uint8), SIDE // 3, axis=1), SIDE, axis=0)


def cube() -> np.ndarray:
    """A spectrum for each class and a little noise, uint16 (8, 48, 48)."""
    chance = np.random.default_rng(0)
    spectra = chance.integers(200, 3000, (4, BANDS))
    noise = chance.integers(-50, 50, (BANDS, SIDE, SIDE))
    return (spectra[labels()].transpose(2, 0, 1) + noise).astype(np.uint16)


def write(path: Path, values: np.ndarray, tags: dict[str, str] | None = None, **options: Any) -> Path:
    """Write (bands, rows, columns) or (rows, columns) as a GeoTIFF of 1 m on the labels' grid."""
    values = values[None] if values.ndim == 2 else values
    bands, rows, columns = values.shape
    profile = {"driver": "GTiff", "crs": UTM, "transform": Affine(1, 0, 500000, 0, -1, 5000000), **options}
    with rasterio.open(
        path, "w", count=bands, height=rows, width=columns, dtype=values.dtype, **profile
    ) as dataset:
        dataset.write(values)
        dataset.update_tags(**(tags or {}))
    return path


def plain(folder: Path, **changes: str) -> Path:
    """Write labels, cube and configuration; `changes` replace text of the configuration, by what it is.

    Returns
    -------
    The configuration's path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "labels.tif", labels())
    write(folder / "hsi.tif", cube())
    text = CONFIG
    for key, value in changes.items():
        text = re.sub(rf"^{key} = .*$", lambda _, key=key, value=value: f"{key} = {value}", text, flags=re.M)
    config = folder / "scene.toml"
    config.write_text(text)
    return config


def envi(folder: Path, values: np.ndarray, more: str = "", map_info: str = MAP_INFO) -> Path:
    """Write an ENVI pair img.dat and img.hdr, whose header is in Latin-1."""
    path = folder / "img.dat"
    path.write_bytes(values.astype("<u2").tobytes())
    bands, rows, columns = values.shape
    header = (
        f"ENVI\nsamples = {columns}\nlines = {rows}\nbands = {bands}\nheader offset = 0\n"
        f"file type = ENVI Standard\ndata type = 12\ninterleave = bsq\nbyte order = 0\n{map_info}\n{more}\n"
    )
    path.with_suffix(".hdr").write_bytes(header.encode("latin-1"))
    return path


def environment(**more: str) -> dict[str, str]:
    """Environment of a program that imports this checkout, wherever it is installed."""
    return {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'kernels'}", **more}


def checked(config: Path, *options: str) -> Result:
    """What `mpmm check` ends with; an error that is none of ours is raised here."""
    done = CliRunner().invoke(check, [str(config), *options])
    if done.exception is not None and not isinstance(done.exception, MpmmError | SystemExit):
        raise done.exception
    return done


def problem(done: Result) -> str:
    """The one line of a refusal, and its hint."""
    assert isinstance(done.exception, MpmmError), done.output
    assert "\n" not in str(done.exception)
    assert done.exception.hint
    return str(done.exception)
