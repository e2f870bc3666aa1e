"""Projection of pixels onto axes against plain loops, in any number of pixels."""

import numpy as np
from mpmm_kernels.patches import project_pixels


def test_projection_is_that_of_plain_loops():
    chance = np.random.default_rng(0)
    pixels = chance.normal(1000, 1, (7, 5)).astype(np.float32)
    pixels.flags.writeable = False
    mean, axes = pixels.mean(axis=0, dtype=np.float64), chance.normal(size=(5, 3))
    expected = [
        [sum((float(pixel[b]) - mean[b]) * axes[b, k] for b in range(5)) for k in range(3)]
        for pixel in pixels
    ]
    projected = np.empty((7, 3), np.float32)
    project_pixels(pixels, mean, axes, np.empty(3), projected)
    np.testing.assert_allclose(projected, expected, rtol=1e-6)
    some = np.empty((2, 3), np.float32)
    project_pixels(pixels[4:6], mean, axes, np.empty(3), some)
    assert some.tobytes() == projected[4:6].tobytes(), "a pixel's bits do not follow from the others"
