"""How fast a batch of patches is cut from a mapped, warm scene, beside the machine's copy bandwidth.

Run by hand: `python tests/benchmarks/gather.py [--columns 4768] [--rounds 40]`. One thread. Speed is bytes
filled over the thread's own seconds, for the copy as well (a copied byte counts once). Eight batches are cut
in a row, at random places, into the same memory, as a prefetching reader does.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from mpmm_kernels.patches import gather_patches as gather

CASES = {"hsi": (48, 25), "rgb": (3, 25)}
ROWS, BATCH, IN_A_ROW = 1202, 40, 8
LAID = {"as they are": (0,), "flipped and turned": (0, 1, 2, 3, 4, 5, 6, 7)}


def mapped_scene(folder: Path, bands: int, columns: int) -> np.ndarray:
    """Write a scene of random values and map it read-only, every page touched."""
    rng = np.random.default_rng(0)
    with (folder / f"{bands}.dat").open("wb") as file:
        for _ in range(ROWS):
            rng.random((columns, bands), dtype=np.float32).tofile(file)
    scene = np.memmap(folder / f"{bands}.dat", np.float32, "r", shape=(ROWS, columns, bands))
    scene[..., :: min(bands, 16)].sum()
    return scene


def cut(scene: np.ndarray, size: int, codes: tuple[int, ...]) -> Callable[[], int]:
    """Return what cuts random batches and says how many bytes it filled."""
    rng = np.random.default_rng(1)
    rows, columns, bands = scene.shape
    linear = rng.random((2, bands)).astype(np.float32)
    code = np.resize(np.array(codes, np.uint8), BATCH)
    patches = np.zeros((BATCH, bands, size, size), np.float32)

    def run() -> int:
        half = size // 2
        places = rng.integers((half, half), (rows - half, columns - half), (IN_A_ROW, BATCH, 2))
        for centres in places.astype(np.int32):
            gather(scene, centres, code, linear, patches)
        return patches.nbytes * IN_A_ROW

    return run


def copy() -> Callable[[], int]:
    """Return what copies 256 MiB, far more than any cache holds."""
    source, target = np.ones(2**26, np.float32), np.zeros(2**26, np.float32)

    def run() -> int:
        np.copyto(target, source)
        return target.nbytes

    return run


def measure(jobs: dict[str, Callable[[], int]], rounds: int) -> dict[str, np.ndarray]:
    """Run all jobs in turn, so that whatever else the machine does meets all alike; GB/s of each round."""
    speeds: dict[str, list[float]] = {name: [] for name in jobs}
    for name in jobs:
        jobs[name]()
    for _ in range(rounds):
        for name, job in jobs.items():
            start = time.thread_time()
            filled = job()
            speeds[name].append(filled / (time.thread_time() - start) / 1e9)
    return {name: np.array(values) for name, values in speeds.items()}


def processor() -> str:
    """Name of the processor, as the system gives it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.machine())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, default=4768)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    print(f"{processor()}, one thread; batches of {BATCH}, {options.rounds} rounds, medians (best)")
    with tempfile.TemporaryDirectory() as folder:
        jobs: dict[str, Callable[[], int]] = {"copy": copy()}
        for name, (bands, size) in CASES.items():
            scene = mapped_scene(Path(folder), bands, options.columns)
            for laid, codes in LAID.items():
                jobs[f"{name} {bands}x{size}x{size}, {laid}"] = cut(scene, size, codes)
        speeds = measure(jobs, options.rounds)
    print(f"| {'':34} | GB/s         | ms a batch | of copy      |")
    print(f"| {'-' * 34} | ------------ | ---------- | ------------ |")
    middle, best = np.median(speeds["copy"]), speeds["copy"].max()
    for name, values in speeds.items():
        each = np.median(values)
        size = next((np.prod((BATCH, 4, b, s, s)) for n, (b, s) in CASES.items() if name.startswith(n)), 0)
        print(
            f"| {name:34} | {each:4.1f} ({values.max():4.1f})  | {size / each / 1e6:10.2f} "
            f"| {each / middle:4.0%} ({values.max() / best:4.0%})  |"
        )


if __name__ == "__main__":
    main()
