"""Networks that leave nothing out, and scenes in memory to map with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mpmm.mapping import ScenePixels, Window, classifier_for
from mpmm.network import EVALUATION, BlockSpec, DenseSpec, Network, NetworkSpec, StreamSpec
from mpmm.patches import Normalization
from mpmm.scene import AlignedModality, LandCover

SPECTRAL = ("same", "valid", "valid")

# three modalities, odd windows, strides, averages, sigmoids, streams that end in a volume of several pixels
ODD = NetworkSpec(
    streams=(
        StreamSpec(
            "spectra",
            7,
            11,
            (
                BlockSpec(5, (3, 2, 3), pool="average", window=(2, 3, 2), activation="sigmoid"),
                BlockSpec(6, (2, 2, 2), pool="none"),
            ),
            (DenseSpec(9), DenseSpec(7, "sigmoid", dropout=0.4)),
        ),
        StreamSpec("camera", 3, 11, (BlockSpec(4, (3, 3, 3), padding=SPECTRAL, window=(1, 2, 2)),)),
        StreamSpec(
            "height",
            1,
            11,
            (BlockSpec(4, (1, 3, 3), stride=(1, 2, 3), pool="none", batch_norm=False),),
            (DenseSpec(5),),
        ),
    ),
    fusion=(DenseSpec(8),),
    classes=5,
    dtype="float64",
    kernels="reference",
)
# one stream without blocks, one without dense layers; a stride behind which windows still overlap
BARE = NetworkSpec(
    streams=(
        StreamSpec("spectra", 4, 5, (), (DenseSpec(6),)),
        StreamSpec("camera", 3, 5, (BlockSpec(3, (2, 2, 2), stride=(1, 2, 2), window=(2, 1, 2)),)),
    ),
    fusion=(),
    classes=3,
    dtype="float64",
    kernels="reference",
)
# the paper's shape in small: streams of one modality and of two, with the same steps
PAPER = NetworkSpec(
    streams=(
        StreamSpec(
            "spectra",
            12,
            13,
            (BlockSpec(4, (3, 3, 3)), BlockSpec(6, (2, 2, 2)), BlockSpec(8, (1, 2, 2), window=(2, 1, 1))),
            (DenseSpec(12),),
        ),
        StreamSpec(
            "camera",
            3,
            13,
            (
                BlockSpec(4, (3, 3, 3), padding=SPECTRAL, window=(1, 2, 2)),
                BlockSpec(6, (3, 2, 2), padding=SPECTRAL, window=(3, 2, 2)),
            ),
            (DenseSpec(10),),
        ),
    ),
    fusion=(DenseSpec(12), DenseSpec(9)),
    classes=4,
    dtype="float64",
    kernels="reference",
)
PADDED = replace(
    PAPER.single("spectra"),
    streams=(
        StreamSpec(
            "spectra", 4, 7, (BlockSpec(3, (3, 3, 3), padding="same"), BlockSpec(4, (1, 2, 2), pool="none"))
        ),
    ),
)


def trained(spec: NetworkSpec, seed: int = 0) -> Network:
    """The network with statistics and biases as training leaves them: none is 0 or 1."""
    network, chance = Network(spec), np.random.default_rng(seed)
    for name, parameter in network.parameters.items():
        if name.endswith("variance"):
            parameter.value[:] = chance.uniform(0.5, 2, parameter.value.shape)
        elif not name.endswith("weights"):
            parameter.value[:] += chance.normal(0, 0.3, parameter.value.shape)
    return network


def scene(
    spec: NetworkSpec, rows: int, columns: int, edge: str = "nodata", seed: int = 1, holes: int = 3
) -> ScenePixels:
    """Noise for each stream's modality, with some pixels missing."""
    chance = np.random.default_rng(seed)
    modalities, normalizations = {}, {}
    for stream in spec.streams:
        values = chance.normal(3, 2, (rows, columns, stream.bands)).astype(np.float32)
        present = np.ones((rows, columns), bool)
        for _ in range(holes):
            present[chance.integers(rows), chance.integers(columns)] = False
        values[~present] = 0
        names = tuple(f"band {band}" for band in range(1, stream.bands + 1))
        modalities[stream.name] = AlignedModality(stream.name, values, present, "standard", names)
        scale = tuple(chance.uniform(1, 3, stream.bands))
        normalizations[stream.name] = Normalization("standard", (3.0,) * stream.bands, scale)
    sizes = {stream.name: stream.size for stream in spec.streams}
    return ScenePixels(modalities, normalizations, sizes, edge)


def classes(count: int) -> tuple[LandCover, ...]:
    """Ids from 1, with gaps."""
    return tuple(LandCover(3 * k + 1, f"class <{k}> & more", f"#{40 * k:02x}80ff") for k in range(count))


def patch_logits(network: Network, pixels: ScenePixels, positions: np.ndarray) -> np.ndarray:
    """Logits of the patches around (row, column) positions, cut one by one from the mirrored scene."""
    inputs: Mapping[str, np.ndarray] = {
        stream.name: np.stack([_patch(pixels, stream.name, *position) for position in positions])
        for stream in network.spec.streams
    }
    return network.forward(inputs, EVALUATION).copy()


def _patch(pixels: ScenePixels, name: str, row: int, column: int) -> np.ndarray:
    half = pixels.sizes[name] // 2
    values = np.pad(pixels.modalities[name].values, ((half, half), (half, half), (0, 0)), mode="reflect")
    normalization = pixels.normalizations[name]
    cut = values[row : row + 2 * half + 1, column : column + 2 * half + 1]
    factor = (1 / np.array(normalization.scale)).astype(np.float32)
    return ((cut - np.array(normalization.shift, np.float32)) * factor).transpose(2, 0, 1)


def window_logits(network, pixels, window=None, memory=2**28, threads=1):
    """Logits of a window as a map has them, which pixels are usable, and the classifier."""
    window = window or Window(0, 0, *pixels.shape)
    classifier = classifier_for(network, pixels, (window.height, window.width), threads, memory)
    usable = pixels.usable(window)
    out = np.full((window.height, window.width, network.spec.classes), np.nan, network.spec.dtype)
    counted = []
    classifier.logits(window, usable, out, counted.append)
    assert sum(counted) == window.pixels
    return out, usable, classifier
