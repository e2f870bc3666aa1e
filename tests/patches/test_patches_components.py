"""Principal components: scikit-learn's on the training patches' pixels, and nothing of any other pixel."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA

from mpmm.errors import PatchError
from mpmm.patches import Projection, Samples, fit_projection, project_values
from mpmm.patches.normalization import coverage
from mpmm.scene import AlignedModality, JoinedModality

SIZE, BANDS = 3, 6
SAMPLES = Samples.of([2, 3, 9], [2, 3, 7], [0, 1, 0])


@pytest.fixture(scope="module")
def modality():
    chance = np.random.default_rng(0)
    mixed = chance.normal(size=(12, 10, BANDS)) @ chance.normal(size=(BANDS, BANDS)) + 100
    values = mixed.astype(np.float32)
    return AlignedModality("hsi", values, np.ones((12, 10), bool), "standard", ("",) * BANDS)


@pytest.mark.parametrize("components", [1, 4, BANDS])
def test_components_are_those_of_scikit_learn_on_the_training_patches(modality, components):
    times = coverage(SAMPLES, SIZE, (12, 10))
    assert times.max() == 2, "patches overlap, and count twice where they do"
    pixels = np.repeat(modality.values.reshape(-1, BANDS), times.reshape(-1), axis=0).astype(float)
    expected = PCA(components).fit(pixels)
    projection = fit_projection(modality, SAMPLES, SIZE, components)
    np.testing.assert_allclose(projection.mean, expected.mean_, rtol=1e-6)
    np.testing.assert_allclose(projection.axes, expected.components_, atol=1e-6)
    assert projection.explained == pytest.approx(expected.explained_variance_ratio_.sum(), rel=1e-6)
    np.testing.assert_allclose(
        projection.apply(modality.values).reshape(-1, components),
        expected.transform(modality.values.reshape(-1, BANDS)),
        atol=1e-4,
    )


def test_pixels_of_no_training_patch_change_nothing(modality):
    elsewhere = modality.values.copy()
    elsewhere[coverage(SAMPLES, SIZE, (12, 10)) == 0] = np.nan
    other = replace(modality, values=elsewhere)
    assert fit_projection(other, SAMPLES, SIZE, 3) == fit_projection(modality, SAMPLES, SIZE, 3)


def test_a_pixel_has_the_same_bits_in_any_array_and_after_the_run_was_kept(modality):
    projection = fit_projection(modality, SAMPLES, SIZE, 4)
    again = Projection.from_dict(json.loads(json.dumps(projection.to_dict())))
    whole = project_values(modality.values, projection)
    assert whole.tobytes() == again.apply(modality.values).tobytes()
    assert whole[5:7, 3].tobytes() == again.apply(modality.values[5:7, 3]).tobytes()
    assert not whole.flags.writeable


def test_values_that_are_not_finite_and_missing_samples_are_refused(modality):
    spoiled = modality.values.copy()
    spoiled[2, 2, 1] = np.inf
    with pytest.raises(PatchError, match="not finite"):
        fit_projection(replace(modality, values=spoiled), SAMPLES, SIZE, 2)
    with pytest.raises(PatchError, match="no training patches"):
        fit_projection(modality, Samples.of([], [], []), SIZE, 2)


def test_scenes_below_each_other_are_fitted_together(modality):
    upper, lower = modality.values, modality.values[:, ::-1] * 2
    present = np.ones((25, 10), bool)
    joined = JoinedModality("hsi", ((0, upper), (13, lower)), present, "standard", ("",) * BANDS)
    both = Samples.of([2, 3, 9, 20], [2, 3, 7, 4], [0, 1, 0, 1])
    times = coverage(both, SIZE, (25, 10))
    whole = np.concatenate([upper, np.zeros((1, 10, BANDS)), lower])
    pixels = np.repeat(whole.reshape(-1, BANDS), times.reshape(-1), axis=0)
    projection = fit_projection(joined, both, SIZE, 3)
    np.testing.assert_allclose(projection.axes, PCA(3).fit(pixels).components_, atol=1e-6)
