"""The gather kernel equals patches cut pixel by pixel, to the bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpmm_kernels.patches import gather_patches as gather
from naive import gather as naive


def scene(rng, rows, columns, bands, dtype=np.float32):
    return rng.random((rows, columns, bands)).astype(dtype), rng.random((2, bands)).astype(dtype)


@given(
    size=st.sampled_from([1, 3, 5, 9, 15, 17, 25]),
    bands=st.sampled_from([1, 3, 15, 16, 17, 31, 48]),
    count=st.integers(0, 5),
    room=st.tuples(st.integers(0, 4), st.integers(0, 4)),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(deadline=None, max_examples=60)
def test_equal_to_the_naive_loops(size, bands, count, room, dtype, seed):
    rng = np.random.default_rng(seed)
    values, linear = scene(rng, size + room[0], size + room[1], bands, dtype)
    half = size // 2
    centres = rng.integers((half, half), (half + room[0] + 1, half + room[1] + 1), (count, 2)).astype(
        np.int32
    )
    codes = rng.integers(0, 8, count).astype(np.uint8)
    ours, theirs = (np.full((count, bands, size, size), np.nan, dtype) for _ in range(2))
    gather(values, centres, codes, linear, ours)
    naive.gather(values, centres, codes, linear, theirs)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("code", range(8))
@pytest.mark.parametrize(("size", "bands"), [(5, 3), (25, 48)])
def test_every_code_is_numpys_flip_and_turn(code, size, bands):
    values, _ = scene(np.random.default_rng(code), size, size, bands)
    as_it_is = np.stack([np.zeros(bands, np.float32), np.ones(bands, np.float32)])
    patches = np.empty((1, bands, size, size), np.float32)
    middle = np.full((1, 2), size // 2, np.int32)
    gather(values, middle, np.array([code], np.uint8), as_it_is, patches)
    window = values[:, ::-1] if code & 4 else values
    np.testing.assert_array_equal(patches[0], np.rot90(window, code & 3).transpose(2, 0, 1))


def test_the_eight_codes_differ():
    values, linear = scene(np.random.default_rng(3), 3, 3, 1)
    patches = np.empty((8, 1, 3, 3), np.float32)
    gather(values, np.ones((8, 2), np.int32), np.arange(8, dtype=np.uint8), linear, patches)
    assert len(np.unique(patches.reshape(8, -1), axis=0)) == 8


@pytest.mark.parametrize(("size", "bands"), [(3, 3), (17, 19), (25, 48)])
def test_nothing_is_written_outside_the_patches(size, bands):
    rng = np.random.default_rng(1)
    values, linear = scene(rng, size + 2, size + 2, bands)
    around = np.full((4, bands, size, size), -7, np.float32)
    centres = rng.integers(size // 2, size // 2 + 3, (2, 2)).astype(np.int32)
    gather(values, centres, np.array([1, 6], np.uint8), linear, around[1:3])
    assert (around[[0, 3]] == -7).all()
    assert (around[1:3] != -7).all()


def test_a_read_only_map_is_read(tmp_path):
    values, linear = scene(np.random.default_rng(2), 30, 30, 20)
    values.tofile(tmp_path / "scene")
    mapped = np.memmap(tmp_path / "scene", np.float32, "r", shape=values.shape)
    centres, codes = np.array([[14, 14], [15, 16]], np.int32), np.zeros(2, np.uint8)
    ours, theirs = np.empty((2, 2, 20, 25, 25), np.float32)
    gather(mapped, centres, codes, linear, ours)
    gather(values, centres, codes, linear, theirs)
    np.testing.assert_array_equal(ours, theirs)
