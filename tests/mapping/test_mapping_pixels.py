"""Windows, mirrored edges, and where a whole patch has data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping_examples import PAPER, scene

from mpmm.errors import PatchError
from mpmm.mapping import Window, checked_region, cut
from mpmm.mapping.pixels import forget, mirrored
from mpmm.mapping.windows import tiles_of
from mpmm.patches import usable_centres


@settings(deadline=None)
@given(st.integers(3, 60), st.integers(1, 12))
def test_mirrored_is_what_numpy_reflects(length, half):
    half = min(half, length - 1)
    expected = np.pad(np.arange(length), half, mode="reflect")
    np.testing.assert_array_equal(mirrored(-half, length + 2 * half, length), expected)


def test_usable_pixels_of_windows_are_those_of_the_scene():
    pixels = scene(PAPER, 45, 52, holes=4)
    expected = usable_centres([modality.present for modality in pixels.modalities.values()], 13)
    usable = np.zeros_like(expected)
    for window in cut(Window(0, 0, 45, 52), (17, 20)):
        usable[window.of(Window(0, 0, 45, 52))] = pixels.usable(window)
    np.testing.assert_array_equal(usable, expected)
    assert 0 < expected.sum() < 33 * 40


def test_with_mirrored_edges_only_missing_pixels_are_lost():
    pixels = scene(PAPER, 40, 40, edge="reflect", holes=0)
    assert pixels.usable(Window(0, 0, 40, 40)).all()
    pixels.modalities["camera"].present[0, 20] = False
    usable = pixels.usable(Window(0, 0, 40, 40))
    # the missing pixel is in every patch within six rows and columns
    np.testing.assert_array_equal(np.argwhere(~usable).min(axis=0), [0, 14])
    np.testing.assert_array_equal(np.argwhere(~usable).max(axis=0), [6, 26])


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 99), st.integers(1, 99), st.integers(5, 90), st.integers(5, 90))
def test_windows_and_tiles_cover_every_pixel_once(rows, columns, high, wide):
    region = Window(3, 5, rows, columns)
    counts = np.zeros((rows, columns), int)
    for window in cut(region, (high, wide)):
        assert window.height <= high
        assert window.width <= wide
        inside = np.zeros((window.height, window.width), int)
        for tile in tiles_of(window, 7, 11):
            inside[tile.of(window)] += 1
        counts[window.of(region)] += inside
    assert (counts == 1).all()


@pytest.mark.parametrize("window", [(-1, 0, 5, 5), (0, 0, 0, 5), (8, 0, 3, 5), (0, 6, 5, 5)])
def test_a_part_outside_the_scene_is_refused(window):
    with pytest.raises(PatchError, match="the scene has 10 x 10"):
        checked_region(Window(*window), 10, 10)


def test_forgotten_pages_are_read_again(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(100_000))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    before = mapped.sum()
    forget(mapped[10:])
    assert mapped.sum() == before
    forget(np.ones(3))
