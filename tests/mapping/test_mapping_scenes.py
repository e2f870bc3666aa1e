"""Maps of a synthetic and of a real scene: 2,000 random pixels have the logits of the patches around them."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mapping_examples import trained, window_logits
from scenes import tiny_scene

from mpmm.mapping import ScenePixels, TileClassifier, Window
from mpmm.network import EVALUATION, BlockSpec, DenseSpec, NetworkSpec, StreamSpec, paper
from mpmm.patches import PatchReader, Samples, measure_normalization
from mpmm.scene import Labels, Modality, Scene
from mpmm.settings.config import load_config

HYSU = Path(__file__).resolve().parents[3] / "shared" / "data" / "dlr_hysu"
FULL = bool(os.environ.get("MPMM_FULL"))


def compare(network, aligned, size, region, count):
    """Logits of a map beside those of the patches that training would cut, normalised as training does."""
    inside = slice(region.row + 5, region.row + 10), slice(region.column + 5, region.column + 10)
    rows, columns = (axis.ravel() for axis in np.mgrid[inside])
    centres = Samples.of(rows, columns, np.zeros(len(rows), int))
    normal = {
        name: measure_normalization(modality, centres, size) for name, modality in aligned.modalities.items()
    }
    pixels = ScenePixels(aligned.modalities, normal, dict.fromkeys(normal, size))
    mapped, usable, classifier = window_logits(network, pixels, region, memory=2**30, threads=2)
    assert isinstance(classifier, TileClassifier)
    positions = np.random.default_rng(0).permutation(np.argwhere(usable))[:count]
    samples = Samples.of(
        positions[:, 0] + region.row, positions[:, 1] + region.column, np.zeros(len(positions), int)
    )
    readers = [
        PatchReader(aligned.modalities[name], samples, size, normalization)
        for name, normalization in normal.items()
    ]
    ours = mapped[tuple(positions.T)]
    for first in range(0, len(positions), 100):
        indices = np.arange(first, min(first + 100, len(positions)))
        inputs = {reader.name: reader.read(indices) for reader in readers}
        expected = network.forward(inputs, EVALUATION)
        tolerance = (1e-4 if network.spec.dtype == "float32" else 1e-10) * np.abs(expected).max()
        np.testing.assert_allclose(ours[indices], expected, rtol=0, atol=tolerance)
        best = np.sort(expected, axis=1)
        clear = best[:, -1] - best[:, -2] > 2 * tolerance
        chosen = ours[indices].argmax(axis=1)
        np.testing.assert_array_equal(chosen[clear], expected.argmax(axis=1)[clear])
    return len(positions)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "kernels", "count"), [("float32", "fast", 2000), ("float64", "direct", 500)], ids=str
)
def test_the_paper_network_on_the_synthetic_scene(tmp_path, dtype, kernels, count):
    """In float64 by the direct method, for kernels of the others would be compiled for this test alone."""
    scene = load_config(tiny_scene(tmp_path)).scene.align(["hsi", "rgb"])
    bands = {name: modality.values.shape[2] for name, modality in scene.modalities.items()}
    network = trained(replace(paper(bands, len(scene.classes)), dtype=dtype, kernels=kernels))
    region = Window(12, 12, 116, 216) if FULL else Window(20, 30, 48, 64)
    assert compare(network, scene, 25, region, count) == count


@pytest.mark.real
@pytest.mark.skipif(not HYSU.is_dir(), reason="needs the HySU scene in ../shared/data")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_on_hysu(tmp_path, dtype):
    modalities = (
        Modality("hsi", ("HySpex/full_hs/Full.tif",)),
        Modality("rgb", ("derived/DLR_HySU_3K_shifted.tif",)),
    )
    labels = Labels("derived/hysu_landcover_photointerp.tif")
    scene = Scene(HYSU, labels, modalities, tmp_path).align()
    wide = StreamSpec(
        "hsi",
        scene.modalities["hsi"].values.shape[2],
        9,
        (BlockSpec(4, (9, 2, 2), (4, 1, 1)), BlockSpec(6, (3, 2, 2), window=(4, 1, 1))),
        (DenseSpec(16),),
    )
    sharp = BlockSpec(4, (3, 3, 3), padding=("same", "valid", "valid"), pool="average", window=(1, 3, 2))
    network = trained(
        NetworkSpec(
            (wide, StreamSpec("rgb", 3, 9, (sharp,), (DenseSpec(8),))),
            (DenseSpec(12, "sigmoid"),),
            len(scene.classes),
            dtype,
            "reference",
        )
    )
    rows, columns = scene.labels.shape
    assert compare(network, scene, 9, Window(0, 0, rows, columns), 2000) == 2000
