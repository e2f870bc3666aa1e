"""Where a patch may lie, against plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import patches as naive

from mpmm.errors import PatchError
from mpmm.patches import class_positions, lost_per_class, usable_centres
from mpmm.patches.windows import window_sums


@given(
    st.integers(1, 20), st.integers(1, 20), st.integers(0, 4), st.integers(1, 3), st.integers(0, 2**32 - 1)
)
@settings(deadline=None, max_examples=60)
def test_equal_to_the_naive_loops(rows, columns, half, modalities, seed):
    size = min(2 * half + 1, min(rows, columns) - (min(rows, columns) + 1) % 2)
    rng = np.random.default_rng(seed)
    present = [rng.random((rows, columns)) > 0.05 for _ in range(modalities)]
    np.testing.assert_array_equal(usable_centres(present, size), naive.usable_centres(present, size))


def test_window_sums_clip_at_the_borders():
    sums = window_sums(np.ones((4, 5), bool), 3)
    np.testing.assert_array_equal(sums[0], [4, 6, 6, 6, 4])
    np.testing.assert_array_equal(sums[1], [6, 9, 9, 9, 6])


def test_lost_pixels_are_counted_by_class():
    labels = np.zeros((7, 7), np.int16)
    labels[3], labels[0] = 5, 9
    counts = lost_per_class(labels, usable_centres([np.ones((7, 7), bool)], 3), [5, 9, 2])
    assert [(c.id, c.labelled, c.usable, c.lost) for c in counts] == [
        (5, 7, 5, 2),
        (9, 7, 0, 7),
        (2, 0, 0, 0),
    ]


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.uint8, np.int8])
def test_ids_become_positions_in_any_small_type(dtype):
    labels = np.array([[3, 0], [7, 120]], dtype)
    np.testing.assert_array_equal(class_positions(labels, [7, 3]), [[1, -1], [0, -1]])


def test_the_id_of_missing_labels_is_no_class():
    np.testing.assert_array_equal(class_positions(np.array([[-1, 1]], np.int16), [1]), [[-1, 0]])


@pytest.mark.parametrize(
    ("shape", "size", "says"),
    [
        ((9, 9), 4, "patch size 4: .* odd size, 3 or 5"),
        ((9, 9), 0, "patch size 0"),
        ((9, 30), 11, "patch size 11 is larger than the scene of 9 x 30 pixels .* at most 9"),
        ((8, 30), 25, "at most 7"),
    ],
)
def test_bad_sizes_are_refused(shape, size, says):
    with pytest.raises(PatchError, match=says):
        usable_centres([np.ones(shape, bool)], size)


def test_masks_of_different_shape_are_refused():
    with pytest.raises(PatchError, match=r"\(4, 4\), \(4, 5\)"):
        usable_centres([np.ones((4, 4), bool), np.ones((4, 5), bool)], 3)


def test_float_labels_are_refused():
    with pytest.raises(PatchError, match="labels of type float32"):
        class_positions(np.zeros((2, 2), np.float32), [1])
