"""Pixels a second of a class map: shared work done once, our own patch by patch, PyTorch's best; by hand.

    python tests/benchmarks/mapping.py [CONFIG] [--threads 1 2] [--rounds 5] [--compile] [--json map.json]

CONFIG is a scene of at least 280 x 280 label pixels with the modalities hsi (48 bands) and rgb (3); without
it the `small` synthetic scene is written into a temporary folder. The map is 256 x 256 pixels, read from the
cache of the aligned scene, down to the class ids. Patch by patch is measured on some batches, ours with
cutting the patches, PyTorch's without. Each number of threads is measured in a process of its own, all rivals
in turn.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from step_ours import paper_spec, random_batch
from step_timing import environment, in_turn, peak

EDGE, SIZE = 256, 25
# of PyTorch's patch by patch; the fastest counts
BATCHES = (20, 40, 80, 160)
# pixels that our own patch by patch computes in a round
SOME = (16, 64)


def pixels_of(config: Path):
    """The scene as a map reads it, its classes, and the network with initial parameters."""
    from mpmm.mapping import ScenePixels
    from mpmm.network import Network, paper
    from mpmm.patches import Samples, measure_normalization
    from mpmm.settings.config import load_config

    scene = load_config(config).scene.align(["hsi", "rgb"])
    middle = scene.labels.shape[0] // 2, scene.labels.shape[1] // 2
    some = Samples.of([middle[0]], [middle[1]], [0])
    normal = {name: measure_normalization(one, some, SIZE) for name, one in scene.modalities.items()}
    bands = {name: one.values.shape[2] for name, one in scene.modalities.items()}
    network = Network(paper(bands, len(scene.classes)))
    return ScenePixels(scene.modalities, normal, dict.fromkeys(bands, SIZE)), scene.classes, network


def ours(config: Path, threads: int, memory: int):
    """What maps the window, what does a part of it patch by patch, and how the first does it."""
    from mpmm.mapping import Mapper, PatchClassifier, Window, classifier_for, raster_specs

    scene, classes, network = pixels_of(config)
    tiles = classifier_for(network, scene, (EDGE, EDGE), threads, memory)
    specs = raster_specs(classes)
    whole = Mapper(network.spec, scene, tiles, classes, specs)
    patches = Mapper(network.spec, scene, PatchClassifier(network, scene), classes, specs)
    return (
        lambda: whole.map(Window(12, 12, EDGE, EDGE)),
        lambda: patches.map(Window(12, 12, *SOME)),
        tiles,
    )


def theirs(batches: list[int], compiled: bool):
    """PyTorch's inference of each batch size, patches already cut and laid out."""
    from step_pytorch import Twin

    rivals = {}
    for batch in batches:
        twin = Twin(paper_spec(), *random_batch(paper_spec(), batch), False)
        rivals[f"PyTorch, batch {batch}"] = (twin.compiled() if compiled else twin).infer
    return rivals


def measure(config: Path, threads: int, options: argparse.Namespace) -> dict[str, object]:
    """Pixels a second of all rivals with one number of threads."""
    import torch
    from mpmm_kernels.runtime import set_threads

    torch.set_num_threads(threads)
    set_threads(threads)
    whole, some, tiles = ours(config, threads, int(options.memory * 2**30))
    rivals = {"map": whole, "ours, patch by patch": some, **theirs(options.batches, options.compile)}
    seconds = in_turn(rivals, options.rounds)
    done = {"map": EDGE * EDGE, "ours, patch by patch": SOME[0] * SOME[1]}
    speeds = {
        name: done.get(name, int(name.split()[-1]) if name.startswith("PyTorch") else 0) / middle
        for name, (middle, _) in seconds.items()
    }
    best = {name: done.get(name, 0) / least for name, (_, least) in seconds.items() if name in done}
    return {"pixels_per_second": speeds, "least": best, "how": tiles.describe(), "peak": peak(threads)}


def show(threads: int, found: dict) -> None:
    """Print one number of threads."""
    speeds = found["pixels_per_second"]
    print(f"\n{threads} thread(s), {found['peak'] / 1e9:.0f} GFLOP/s of multiply-adds in registers")
    print(f"{found['how']}")
    for name, speed in speeds.items():
        print(f"  {name:24} {speed:10,.0f} pixels/s   map: {speeds['map'] / speed:6.1f} times as many")
    torch = max(speed for name, speed in speeds.items() if name.startswith("PyTorch"))
    ratio = speeds["map"] / torch
    print(f"  the map's best round {found['least']['map']:,.0f}; {ratio:.1f} times PyTorch's best")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("config", nargs="?", type=Path)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", type=float, default=1.0, help="GiB")
    parser.add_argument("--batches", type=int, nargs="+", default=list(BATCHES), help="PyTorch's")
    parser.add_argument("--compile", action="store_true", help="compile PyTorch's network")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--measure", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.config, options.measure, options)))
        return
    with tempfile.TemporaryDirectory() as folder:
        config = options.config or _small(Path(folder))
        print(f"{platform.processor() or platform.machine()}, {platform.python_version()}, {config}")
        results = {threads: _in_process(config, threads, options) for threads in options.threads}
    for threads, found in results.items():
        show(threads, found)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


def _small(folder: Path) -> Path:
    from mpmm.synthetic import write_synthetic

    return write_synthetic(folder / "scene", "small", 0)


def _in_process(config: Path, threads: int, options: argparse.Namespace) -> dict:
    command = [sys.executable, __file__, str(config), "--measure", str(threads)]
    command += ["--rounds", str(options.rounds), "--memory", str(options.memory)]
    command += ["--batches", *map(str, options.batches)]
    command += ["--compile"] if options.compile else []
    done = subprocess.run(command, env=environment(threads), stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
