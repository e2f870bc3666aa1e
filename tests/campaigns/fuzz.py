"""Mutated input files, each read or refused: ``python tests/campaigns/fuzz.py --count 100000``.

A small scene and a run are made once. Then a file of some kind is mutated, what reads it is called in this
process, and the file is put back. Right is that it is read, or refused by one of mpmm's own errors in one
line with a hint, within 10 s of CPU time, and that no file was written. A case follows from the seed and its
number, by which ``--only`` plays it again.
"""

import argparse
import faulthandler
import os
import random
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from affine import Affine

sys.path[:0] = [str(Path(__file__).resolve().parents[offset]) for offset in (1, 2)]
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "kernels"))

from mpmm.errors import MpmmError  # noqa: E402
from mpmm.placement import describe, layout_for  # noqa: E402
from mpmm.preparation import check_patches, spec_of_headers  # noqa: E402
from mpmm.results import RunFolder, read_log, read_split  # noqa: E402
from mpmm.runs import fit  # noqa: E402
from mpmm.runs.maps.trained import Trained  # noqa: E402
from mpmm.scene import Labels, Modality, Scene  # noqa: E402
from mpmm.settings import load_config  # noqa: E402

SIDE, BANDS = 16, 4
SECONDS = 10
# what a case may take of memory, beyond which Python and GDAL say so
MEMORY = 6 * 2**30
NUMBERS = (
    b"0 -1 1 2 7 255 65536 2147483647 4294967296 -9223372036854775808 1e308 -1e-308 nan inf 0.5 1e 0x10 1_0 "
    b"99999999999999999999"
).split(b" ")
TOKENS = b"\0 \xff \" ' [ ] { } = , < > & %s ../ \xc2\xb5 ~ * true /vsizip/ NETCDF: - . e9 \r \t".split(b" ")
TOKENS += [b"\n", b" "]
CONFIG = """\
[scene]
[scene.labels]
file = "labels.tif"
ignore = [0]
[scene.classes]
1 = "soil"
2 = { name = "water", color = "#0000ff" }
[scene.modalities.hsi]
files = ["hsi.tif"]
bands = [1, 2, 3, 4]
scale = 1.0
offset = 0.0
[patches]
size = 3
per_class = 9
split = "random"
shares = [0.6, 0.2, 0.2]
seed = 1
[training]
epochs = 1
batch = 8
rate = 0.001
[network]
kernels = "reference"
fusion = [{ units = 4, dropout = 0.1 }]
[network.streams.hsi]
blocks = [{ filters = 2, kernel = [1, 3, 3], stride = [1, 1, 1], padding = "valid", window = [1, 1, 1] }]
dense = [{ units = 4 }]
[layout]
name = "auto"
threads = 1
pin = true
"""
LAYOUT = """\
[layout.ranks]
"hsi.block1" = [1, 2]
"hsi.head" = 1
"fusion.block1" = 0
"fusion.output" = 0
[layout.shares]
"hsi.block1" = [10, 6]
"""
# what else than checkpoints is read of a run
PARTS = ("config.json", "classes.json", "normalization.json", "split.csv", "metrics.jsonl", "bands.json")
DTYPES = ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
ENVI = """\
ENVI
description = {{a cube}}
samples = {side}
lines = {side}
bands = {bands}
header offset = 0
file type = ENVI Standard
data type = 12
interleave = bsq
byte order = 0
map info = {{UTM, 1, 1, 500000, 5000000, 1, 1, 32, North, WGS-84, units=Meters}}
wavelength units = Nanometers
wavelength = {{400.0, 500.0, 600.0, 700.0}}
bbl = {{1, 1, 0, 1}}
data ignore value = 65535
band names = {{a, b, c, d}}
"""


class Target(NamedTuple):
    """A file that is mutated, whether as text, and what reads it."""

    file: Path
    is_text: bool
    read: Callable[[random.Random], object]


class Hang(BaseException):
    """A case took more CPU time than it may."""


def make(folder: Path) -> dict[str, list[Target]]:
    """Write the scene and a run into a folder; the targets by kind."""
    chance = np.random.default_rng(0)
    ids = np.repeat(np.array([1, 2], np.uint8), SIDE // 2)[None].repeat(SIDE, 0)
    cube = chance.integers(1, 3000, (BANDS, SIDE, SIDE)).astype(np.uint16)
    _write(folder / "labels.tif", ids[None])
    _write(folder / "hsi.tif", cube)
    _write(folder / "packed.tif", cube, compress="deflate", tiled=True, blockxsize=16, blockysize=16)
    (folder / "img.dat").write_bytes(cube.tobytes())
    (folder / "img.hdr").write_text(ENVI.format(side=SIDE, bands=BANDS))
    (folder / "mosaic.vrt").write_text(_vrt("hsi.tif", raw=False))
    (folder / "raw.vrt").write_text(_vrt("img.dat", raw=True))
    (folder / "scene.toml").write_text(CONFIG)
    (folder / "layout.toml").write_text(CONFIG.replace("[layout]", "[layout]\n") + LAYOUT)
    run = fit(folder / "scene.toml", run=folder / "run", progress=False).folder
    return {
        "configurations": [Target(folder / "scene.toml", True, lambda _: _config(folder / "scene.toml"))],
        "layouts": [Target(folder / "layout.toml", True, lambda rng: _layout(folder / "layout.toml", rng))],
        "checkpoints": [
            Target(run / "checkpoints" / "best.safetensors", False, lambda _: Trained.open(run)),
            *(Target(run / name, True, lambda _: _run(run)) for name in PARTS),
        ],
        "ENVI headers": [Target(folder / "img.hdr", True, _modality(folder, "img.dat"))],
        "VRTs": [Target(folder / name, True, _modality(folder, name)) for name in ("mosaic.vrt", "raw.vrt")],
        "GeoTIFFs": [
            Target(folder / name, False, _modality(folder, name)) for name in ("hsi.tif", "packed.tif")
        ],
        "label rasters": [Target(folder / "labels.tif", False, lambda rng: _labels(folder, rng))],
    }


def _write(path: Path, values: np.ndarray, **options: object) -> None:
    transform = Affine(1, 0, 500000, 0, -1, 5000000)
    profile = {"driver": "GTiff", "crs": "EPSG:32632", "transform": transform, "dtype": values.dtype}
    count, height, width = values.shape
    with rasterio.open(path, "w", count=count, height=height, width=width, **profile, **options) as dataset:
        dataset.write(values)


def _vrt(source: str, raw: bool) -> str:
    rect = f'xOff="0" yOff="0" xSize="{SIDE}" ySize="{SIDE}"'
    name = f'<SourceFilename relativeToVRT="1">{source}</SourceFilename>'
    bands = ""
    for band in range(1, BANDS + 1):
        if raw:
            offset = (band - 1) * 2 * SIDE * SIDE
            inner = f"{name}<ImageOffset>{offset}</ImageOffset><PixelOffset>2</PixelOffset>"
            inner += f"<LineOffset>{2 * SIDE}</LineOffset><ByteOrder>LSB</ByteOrder>"
        else:
            inner = f"<SimpleSource>{name}<SourceBand>{band}</SourceBand>"
            inner += f"<SrcRect {rect}/><DstRect {rect}/></SimpleSource>"
        kind = ' subClass="VRTRawRasterBand"' if raw else ""
        bands += f'<VRTRasterBand dataType="UInt16" band="{band}"{kind}>{inner}</VRTRasterBand>'
    head = f'<VRTDataset rasterXSize="{SIDE}" rasterYSize="{SIDE}"><SRS>EPSG:32632</SRS>'
    return f"{head}<GeoTransform>500000,1,0,5000000,0,-1</GeoTransform>{bands}</VRTDataset>"


def _config(path: Path) -> None:
    config = load_config(path)
    check_patches(config, config.scene.inspect())
    spec_of_headers(config)


def _layout(path: Path, rng: random.Random) -> None:
    config = load_config(path)
    own = config.layout
    layout_for(describe(spec_of_headers(config)), rng.randint(2, 5), own.name, own.ranks, own.shares)


def _run(folder: Path) -> None:
    Trained.open(folder)
    read_split(folder / "split.csv")
    read_log(folder)
    RunFolder.open(folder).read_checkpoint("last")


def _modality(folder: Path, name: str) -> Callable[[random.Random], object]:
    scene = Scene(folder, Labels("labels.tif"), (Modality("x", (name,)),))
    return lambda _: scene.inspect()


def _labels(folder: Path, rng: random.Random) -> None:
    ignore = tuple(rng.sample([0, -1, 255, 65535, 2**31, -(2**63), 2**64], rng.randint(0, 3)))
    Scene(folder, Labels("labels.tif", ignore=ignore), ()).inspect_labels()


def mutated(content: bytes, is_text: bool, rng: random.Random) -> bytes:
    """Some bytes, numbers, words or parts of a file changed, left out, put in or put elsewhere."""
    for _ in range(rng.choice([1, 1, 1, 2, 3, 6])):
        start = rng.randrange(len(content) + 1)
        end = min(len(content), start + rng.choice([1, 1, 2, 4, 8, 40]))
        kind = rng.randrange(7)
        numbers = [m.span() for m in re.finditer(rb"-?\d+(\.\d+)?", content)] if is_text and kind < 3 else []
        if numbers:
            start, end = rng.choice(numbers)
            content = content[:start] + rng.choice(NUMBERS) + content[end:]
        elif kind < 3:
            value = rng.choice([0, 1, 2, 2**15, 2**31 - 1, 2**32 - 1, rng.getrandbits(32)])
            size = rng.choice([1, 2, 4])
            content = content[:start] + value.to_bytes(8, "little")[:size] + content[start + size :]
        elif kind == 3:
            content = content[:start] + content[end:]
        elif kind == 4:
            content = content[:start] + content[start:end] * rng.choice([2, 3, 50]) + content[end:]
        elif kind == 5:
            content = (
                content[:start] + (rng.choice(TOKENS) if is_text else rng.randbytes(3)) + content[start:]
            )
        else:
            content = content[:start] if rng.random() < 0.3 else _swapped(content, rng)
    return content


def _swapped(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    rng.shuffle(lines[: rng.randint(0, len(lines))])
    first, second = rng.randrange(len(lines) or 1), rng.randrange(len(lines) or 1)
    if lines:
        lines[first], lines[second] = lines[second], lines[first]
    return b"".join(lines)


def random_labels(rng: random.Random, path: Path) -> None:
    """Replace the labels by numbers of any type, with any value for missing ones."""
    dtype = rng.choice(DTYPES)
    numbers = np.random.default_rng(rng.getrandbits(32))
    values = numbers.integers(0, 9, (rng.choice([1, 1, 1, 2, 3]), SIDE, SIDE)).astype(dtype)
    if np.dtype(dtype).kind == "f":
        values[0, 0, :3] = rng.sample([np.nan, np.inf, -np.inf, 1e30, 0.5, -3.4028234663852886e38], 3)
    else:
        limits = np.iinfo(dtype)
        values[0, 0, :3] = rng.sample([limits.min, limits.max, limits.max // 2, 0], 3)
    # rasterio writes nodata as a float, which not every number of 64 bits is
    fits = [] if dtype.endswith("int64") else [values[0, 0, 0].item(), values[0, 0, 1].item()]
    nodata = rng.choice([None, 0, *fits])
    path.unlink()
    _write(path, values, nodata=nodata)


@contextmanager
def watched():
    """Raise `Hang` after some seconds of CPU time, which a busy machine does not make longer.

    Where C code does not come back the campaign ends with a traceback, after CPU time too, which one that was
    stopped for a while does not use; where something waits for ever, after an hour.
    """

    def stop(*_):
        raise Hang

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    # the signal's own effect, after the traceback, is to end the process
    faulthandler.register(signal.SIGVTALRM, chain=True)
    signal.setitimer(signal.ITIMER_VIRTUAL, 12 * SECONDS)
    faulthandler.dump_traceback_later(3600, exit=True)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGPROF, before)


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder with its size and time of change."""
    entries, waiting = {}, [str(folder)]
    while waiting:
        for entry in os.scandir(waiting.pop()):
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            else:
                status = entry.stat(follow_symlinks=False)
                entries[entry.path] = status.st_size, status.st_mtime_ns
    return entries


def case(folder: Path, targets: dict[str, list[Target]], seed: int, number: int) -> tuple[str, str, str]:
    """Play one case: its kind, "read", "refused" or what is wrong, and details of that."""
    rng = random.Random(seed * 2**40 + number)
    kind = list(targets)[number % len(targets)]
    target = rng.choice(targets[kind])
    content = target.file.read_bytes()
    try:
        if kind == "label rasters" and rng.random() < 0.7:
            random_labels(rng, target.file)
            if rng.random() < 0.3:
                target.file.write_bytes(mutated(target.file.read_bytes(), False, rng))
        else:
            target.file.write_bytes(mutated(content, target.is_text, rng))
        before = listing(folder)
        outcome, details = played(target, rng)
        if listing(folder) != before:
            outcome, details = "written", str(set(listing(folder).items()) ^ set(before.items()))
    finally:
        target.file.write_bytes(content)
    return kind, outcome, details


def played(target: Target, rng: random.Random) -> tuple[str, str]:
    """What comes of reading a mutated file."""
    try:
        with watched(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            target.read(rng)
    except MpmmError as error:
        if "\n" in error.problem.strip() or not error.hint:
            return "not one line", repr(error)
        return "refused", ""
    except Hang:
        return "hang", traceback.format_exc()
    except Exception:
        return "traceback", traceback.format_exc()
    return "read", ""


def campaign(
    count: int, seed: int, seconds: float = float("inf"), first: int = 0
) -> tuple[Counter, list[str]]:
    """Play so many cases, or as many as the seconds or a SIGTERM allow; outcomes by kind, and the wrong."""
    counts, wrong, asked = Counter(), [], []
    before = signal.signal(signal.SIGTERM, lambda *_: asked.append("to end"))
    with tempfile.TemporaryDirectory(prefix="mpmm-fuzz-") as name:
        targets = make(Path(name))
        until = time.monotonic() + seconds
        for number in range(first, first + count):
            if time.monotonic() > until or asked:
                break
            kind, outcome, details = case(Path(name), targets, seed, number)
            counts[kind, outcome] += 1
            if outcome not in ("read", "refused"):
                wrong.append(f"{kind}, seed {seed}, number {number}: {outcome}\n{details}")
    signal.signal(signal.SIGTERM, before)
    return counts, wrong


def main() -> None:
    """Play the cases, and tell the counts and what was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="the number of one case")
    given = parser.parse_args()
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    first, count = (0, given.count) if given.only is None else (given.only, 1)
    counts, wrong = campaign(count, given.seed, given.seconds, first)
    print("\n".join(wrong))
    for (kind, outcome), number in sorted(counts.items()):
        print(f"{number:8,} {kind}: {outcome}")
    print(f"{sum(counts.values()):8,} cases, {len(wrong)} wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
