"""Modalities as pictures: which bands become which colours, and what is stretched."""

import numpy as np
import pytest
from scenes import tiny_scene

from mpmm.pictures.composite import composite
from mpmm.scene import AlignedModality, AlignedScene
from mpmm.settings import load_config


@pytest.fixture(scope="module")
def aligned(tmp_path_factory) -> AlignedScene:
    return load_config(tiny_scene(tmp_path_factory.mktemp("pictured"))).scene.align()


def test_false_colour_makes_lawns_red_and_rgb_keeps_its_bands(aligned):
    grass = aligned.labels == 1
    hsi, title = composite(aligned.modalities["hsi"], 1)
    assert title == "hsi: false colour, vegetation is red (861, 661, 560 nm)"
    red, green, blue = hsi[grass].mean(axis=0)
    assert red > 2 * green
    assert red > 2 * blue
    rgb, title = composite(aligned.modalities["rgb"], 2)
    assert title.startswith("rgb: true colour")
    assert rgb.shape == (70, 120, 3)
    _, green, _ = rgb[grass[::2, ::2]].mean(axis=0)
    assert green == rgb[grass[::2, ::2]].mean(axis=0).max()


def test_missing_pixels_are_pale_and_do_not_spoil_the_stretch():
    values = np.linspace(0, 100, 400, dtype=np.float32).reshape(20, 20, 1)
    present = np.ones((20, 20), dtype=bool)
    present[:5] = False
    values[:5] = 1e6
    image, title = composite(AlignedModality("dem", values, present, "standard", ("height",)), 1)
    assert title == "dem: grey (height)"
    assert np.all(image[:5] == image[0, 0])
    assert image[5:].min() == 0
    assert image[5:].max() == 1
