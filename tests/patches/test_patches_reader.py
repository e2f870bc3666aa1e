"""Normalisation and reading, against NumPy over the gathered patches."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpmm.errors import PatchError
from mpmm.patches import (
    Normalization,
    PatchReader,
    Samples,
    measure_normalization,
    normalization,
    orientations,
)


@dataclass(frozen=True)
class Plain:
    values: np.ndarray
    normalization: str = "standard"
    name: str = "hsi"

    @property
    def pieces(self):
        return ((0, self.values),)


def modality(seed, rows=40, columns=50, bands=4, kind="standard"):
    rng = np.random.default_rng(seed)
    return Plain((rng.random((rows, columns, bands)) * 900 + 100).astype(np.float32), kind)


def some_samples(seed, count, size, rows=40, columns=50):
    rng = np.random.default_rng(seed)
    half = size // 2
    return Samples.of(
        rng.integers(half, rows - half, count), rng.integers(half, columns - half, count), np.zeros(count)
    )


def windows(pixels, samples, size):
    """Patches as they are, float64 (n, bands, size, size)."""
    half = size // 2
    cut = [
        pixels.values[r - half : r + half + 1, c - half : c + half + 1]
        for r, c in zip(samples.rows, samples.columns, strict=True)
    ]
    return np.stack(cut).transpose(0, 3, 1, 2).astype(np.float64)


@given(st.integers(0, 99), st.integers(1, 30), st.sampled_from([1, 5, 9]))
@settings(deadline=None, max_examples=25)
def test_statistics_are_those_of_the_patches(seed, count, size):
    pixels, samples = modality(seed), some_samples(seed, count, size)
    patches = windows(pixels, samples, size)
    measured = measure_normalization(pixels, samples, size)
    deviation = patches.std(axis=(0, 2, 3))
    np.testing.assert_allclose(measured.shift, patches.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(measured.scale, np.where(deviation > 0, deviation, 1), rtol=1e-10)
    ranged = measure_normalization(modality(seed, kind="minmax"), samples, size)
    low, high = patches.min(axis=(0, 2, 3)), patches.max(axis=(0, 2, 3))
    np.testing.assert_array_equal(ranged.shift, low)
    np.testing.assert_array_equal(ranged.scale, np.where(high > low, high - low, 1))


def test_only_training_patches_count():
    pixels = modality(1)
    values = pixels.values.copy()
    values[20:] = 1e9
    samples = some_samples(1, 10, 5, rows=20)
    assert measure_normalization(Plain(values), samples, 5) == measure_normalization(pixels, samples, 5)


def test_chunks_change_nothing_but_rounding(monkeypatch):
    pixels, samples = modality(2), some_samples(2, 20, 7)
    whole = measure_normalization(pixels, samples, 7)
    monkeypatch.setattr(normalization, "CHUNK", 1)
    by_row = measure_normalization(pixels, samples, 7)
    np.testing.assert_allclose(by_row.shift, whole.shift, rtol=1e-14)
    np.testing.assert_allclose(by_row.scale, whole.scale, rtol=1e-12)


def test_large_values_of_little_spread_keep_their_deviation():
    rng = np.random.default_rng(0)
    values = (1e6 + rng.random((40, 50, 1))).astype(np.float32)
    samples = some_samples(0, 30, 5)
    measured = measure_normalization(Plain(values), samples, 5)
    assert measured.scale[0] == pytest.approx(windows(Plain(values), samples, 5).std(), rel=1e-9)


def test_a_constant_band_becomes_zero():
    pixels = Plain(np.full((9, 9, 2), 5, np.float32))
    samples = Samples.of([4], [4], [0])
    measured = measure_normalization(pixels, samples, 5)
    assert measured == Normalization("standard", (5.0, 5.0), (1.0, 1.0))
    assert not PatchReader(pixels, samples, 5, measured).read(np.array([0])).any()


def test_none_leaves_values_alone():
    pixels, samples = modality(3, kind="none"), some_samples(3, 4, 5)
    reader = PatchReader(pixels, samples, 5, measure_normalization(pixels, samples, 5))
    np.testing.assert_array_equal(reader.read(np.arange(4)), windows(pixels, samples, 5))


def test_through_json_and_back_to_the_bit():
    measured = measure_normalization(modality(4), some_samples(4, 9, 5), 5)
    assert Normalization.from_dict(json.loads(json.dumps(measured.to_dict()))) == measured


@pytest.mark.parametrize("bands", [3, 20])
@pytest.mark.parametrize("size", [5, 17])
def test_patches_are_cut_normalised_flipped_and_turned(bands, size):
    pixels, samples = modality(5, bands=bands), some_samples(5, 12, size)
    measured = measure_normalization(pixels, samples, size)
    indices = np.array([3, 3, 11, 0])
    shift, scale = (np.array(x)[:, None, None] for x in (measured.shift, measured.scale))
    expected = (windows(pixels, samples.take(indices), size) - shift) / scale
    plain = PatchReader(pixels, samples, size, measured)
    np.testing.assert_allclose(plain.read(indices), expected, atol=1e-5)
    turned = PatchReader(pixels, samples, size, measured, augment=True, seed=8).read(indices, epoch=2)
    codes = orientations(indices, 2, 8)
    for patch, code, window in zip(turned, codes, plain.read(indices), strict=True):
        flipped = window[:, :, ::-1] if code & 4 else window
        np.testing.assert_array_equal(patch, np.rot90(flipped, code & 3, axes=(1, 2)))


def test_all_modalities_of_a_sample_turn_alike():
    one, samples = modality(6, bands=2), some_samples(6, 30, 7)
    other = Plain(one.values[..., ::-1].copy())
    as_it_is = Normalization.none(2)
    first, second = (
        PatchReader(p, samples, 7, as_it_is, augment=True, seed=1).read(np.arange(30), 4)
        for p in (one, other)
    )
    np.testing.assert_array_equal(first, second[:, ::-1])


def test_reading_into_given_memory(tmp_path):
    pixels, samples = modality(7), some_samples(7, 5, 5)
    reader = PatchReader(pixels, samples, 5, Normalization.none(4))
    out = np.empty((5, *reader.shape), np.float32)
    assert reader.read(np.arange(5), out=out) is out
    np.testing.assert_array_equal(out, reader.read(np.arange(5)))
    for bad in (out[:4], out.astype(np.float64), np.asfortranarray(out)):
        with pytest.raises(PatchError, match="cannot be read into"):
            reader.read(np.arange(5), out=bad)


def test_the_scene_stays_writable_for_its_owner():
    pixels, samples = modality(8), some_samples(8, 2, 5)
    PatchReader(pixels, samples, 5, Normalization.none(4))
    pixels.values[0, 0, 0] = 1


@pytest.mark.parametrize(("row", "column"), [(1, 10), (38, 10), (10, 1), (10, 48)])
def test_a_patch_outside_the_scene_is_refused_before_the_kernel_meets_it(row, column):
    with pytest.raises(PatchError, match=f"around row {row}, column {column} leaves the scene of 40 x 50"):
        PatchReader(modality(9), Samples.of([10, row], [10, column], [0, 0]), 5, Normalization.none(4))


def test_the_wrong_normalisation_is_refused():
    with pytest.raises(PatchError, match="4 bands, normalisation of 3"):
        PatchReader(modality(9), some_samples(9, 2, 5), 5, Normalization.none(3))


def test_no_training_patches_are_refused():
    with pytest.raises(PatchError, match="no training patches"):
        measure_normalization(modality(9), Samples.of([], [], []), 5)


def test_values_that_are_not_finite_are_refused():
    values = modality(9).values.copy()
    values[:, :, 2] = np.nan
    with pytest.raises(PatchError, match="hsi: band 2"):
        measure_normalization(Plain(values), some_samples(9, 3, 5), 5)


@pytest.mark.parametrize(
    "plain",
    [
        {"kind": "standard", "shift": [0]},
        {"kind": "mean", "shift": [0], "scale": [1]},
        {"kind": "standard", "shift": [0, 1], "scale": [1]},
        {"kind": "standard", "shift": [0], "scale": [0]},
        {"kind": "standard", "shift": [float("nan")], "scale": [1]},
    ],
)
def test_damaged_normalisations_are_refused(plain):
    with pytest.raises(PatchError, match="normalisation"):
        Normalization.from_dict(plain)


def test_samples_of_different_lengths_are_refused():
    with pytest.raises(PatchError, match="samples with rows"):
        Samples.of([1, 2], [1], [0])
