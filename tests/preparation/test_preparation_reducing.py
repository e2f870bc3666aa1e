"""Components stand in for bands in one scene and in several below each other; other modalities stay."""

import numpy as np
import pytest

from mpmm.patches import Normalization, Projection
from mpmm.preparation.reducing import reduced_scene
from mpmm.scene import AlignedModality, AlignedScene, Grid, LandCover, join_scenes

PROJECTION = Projection((1.0, 2.0, 3.0), ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0)), (4.0, 1.0, 5.5))
NORMALIZATIONS = {
    "hsi": Normalization("none", (0.0,) * 2, (1.0,) * 2, PROJECTION),
    "rgb": Normalization.none(3),
}


def scene(seed):
    values = np.random.default_rng(seed).normal(size=(4, 5, 3)).astype(np.float32)
    present = np.ones((4, 5), bool)
    modalities = {
        name: AlignedModality(name, values, present, "none", ("a", "b", "c")) for name in ("hsi", "rgb")
    }
    covers = (LandCover(1, "soil", "#000000"),)
    return AlignedScene(Grid.of_pixels(4, 5), covers, np.ones((4, 5), np.int16), modalities)


@pytest.mark.parametrize("joined", [False, True])
def test_values_of_each_scene_become_components(joined):
    scenes = [scene(0), scene(1)] if joined else [scene(0)]
    before = join_scenes(["a", "b"], scenes) if joined else scenes[0]
    after = reduced_scene(before, NORMALIZATIONS)
    assert after.modalities["hsi"].band_names == ("component 1", "component 2")
    for (first, values), (row, own) in zip(
        after.modalities["hsi"].pieces, before.modalities["hsi"].pieces, strict=True
    ):
        assert first == row
        np.testing.assert_allclose(values, own[..., [1, 0]] - np.float32([2, 1]), rtol=1e-6)
    assert after.modalities["rgb"] is before.modalities["rgb"]
    assert NORMALIZATIONS["hsi"].bands == NORMALIZATIONS["rgb"].bands == 3
    assert PROJECTION.explained == pytest.approx(5 / 5.5)
