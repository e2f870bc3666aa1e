"""KNN and SVM without float64 copies give what plain scikit-learn gives."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from mpmm import baselines
from mpmm.errors import PatchError


def problem(seed, count, classes=4, distance=0.35):
    """Patches of two modalities around one mean a class."""
    rng = np.random.Generator(np.random.PCG64(seed))
    means = np.random.Generator(np.random.PCG64(99)).standard_normal((classes, 7, 5, 5)) * distance
    labels = rng.integers(0, classes, count).astype(np.int16)
    patches = (rng.standard_normal((count, 7, 5, 5)) + means[labels]).astype(np.float32)
    return (lambda indices: {"hsi": patches[indices, :4], "rgb": patches[indices, 4:]}), labels


def vectors(read, count):
    patches = read(np.arange(count))
    return np.concatenate([each.reshape(count, -1) for each in patches.values()], axis=1)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    """Several blocks and batches also with few samples, the last ones short."""
    for name, value in {"BATCH": 32, "ROWS": 50, "COLUMNS": 60}.items():
        monkeypatch.setattr(baselines, name, value)


def test_patches_become_vectors_modality_after_modality():
    read, _ = problem(0, 70)
    np.testing.assert_array_equal(baselines.vectors(read, 70), vectors(read, 70))
    assert baselines.vectors(read, 70).dtype == np.float32


def test_kernel_matrix_equal_to_scikit_learns():
    read, _ = problem(1, 130)
    features, others = vectors(read, 130), vectors(*problem(2, 65)[:1], 65)
    kernel = baselines.RbfKernel().fit(features)
    expected = rbf_kernel(others.astype(float), features.astype(float), gamma=kernel.gamma_)
    assert kernel.gamma_ == pytest.approx(1 / (features.shape[1] * features.astype(float).var()), rel=1e-6)
    np.testing.assert_allclose(kernel.transform(others), expected, rtol=2e-6)
    assert kernel.features_ is features


def test_svm_equal_to_plain_scikit_learn():
    (train, labels), (held, truth) = problem(3, 160), problem(4, 90)
    features = vectors(train, 160)
    ours = baselines.fitted(baselines.svm(), baselines.vectors(train, 160), labels)
    plain = OneVsRestClassifier(SVC(C=1.0, gamma="scale")).fit(features.astype(float), labels)
    margins = plain.decision_function(vectors(held, 90).astype(float))
    np.testing.assert_allclose(ours.decision_function(vectors(held, 90)), margins, atol=2e-3)
    guess = baselines.predicted(ours, held, 90)
    np.testing.assert_array_equal(guess, plain.predict(vectors(held, 90)))
    assert (guess == truth).mean() > 0.9


def test_knn_equal_to_plain_scikit_learn():
    (train, labels), (held, truth) = problem(5, 160), problem(6, 90)
    ours = baselines.fitted(baselines.knn(), baselines.vectors(train, 160), labels)
    plain = KNeighborsClassifier(5).fit(vectors(train, 160).astype(float), labels)
    guess = baselines.predicted(ours, held, 90)
    np.testing.assert_array_equal(guess, plain.predict(vectors(held, 90).astype(float)))
    assert (guess == truth).mean() > 0.8


def test_all_separate_what_can_be_separated():
    (train, labels), (held, truth) = problem(7, 120, distance=1.5), problem(8, 60, distance=1.5)
    for model in baselines.baselines().values():
        baselines.fitted(model, baselines.vectors(train, 120), labels)
        np.testing.assert_array_equal(baselines.predicted(model, held, 60), truth)


def test_classes_missing_from_training_keep_the_others_positions():
    train, labels = problem(9, 120, distance=1.5)
    kept = np.flatnonzero(labels != 1)
    features = vectors(train, 120)[kept]
    for model in baselines.baselines().values():
        baselines.fitted(model, features, labels[kept])
        np.testing.assert_array_equal(model.predict(features), labels[kept])


def test_two_classes_are_enough():
    train, labels = problem(10, 60, classes=2, distance=1.5)
    model = baselines.fitted(baselines.svm(), vectors(train, 60), labels)
    np.testing.assert_array_equal(baselines.predicted(model, train, 60), labels)


def test_nothing_to_predict():
    train, labels = problem(11, 40)
    model = baselines.fitted(baselines.knn(), vectors(train, 40), labels)
    assert baselines.predicted(model, train, 0).shape == (0,)


def test_values_that_never_vary():
    assert baselines.scale(np.ones((5, 3), np.float32)) == 1


@pytest.mark.parametrize(
    ("labels", "says"), [([3] * 10, "all of one class"), ([0, 1, 2], "3 training patches, 5 neighbours vote")]
)
def test_too_little_to_learn_from_is_refused(labels, says):
    with pytest.raises(PatchError, match=says):
        baselines.fitted(baselines.knn(), np.zeros((len(labels), 4), np.float32), np.array(labels, np.int16))


def test_no_training_patches_are_refused():
    with pytest.raises(PatchError, match="no training patches"):
        baselines.vectors(problem(0, 1)[0], 0)


def test_centre_pixels_are_the_middles_of_all_bands():
    read, labels = problem(5, 60)
    features = vectors(read, 60)
    patches = read(np.arange(60))
    expected = np.concatenate([each[:, :, 2, 2] for each in patches.values()], axis=1)
    np.testing.assert_array_equal(baselines.CentrePixels(5).fit(features).transform(features), expected)
    model = baselines.fitted(baselines.extras(5)["RBF-SVM, centre pixel"], features, labels)
    plain = baselines.fitted(baselines.svm(), np.ascontiguousarray(expected), labels)
    np.testing.assert_array_equal(model.predict(features), plain.predict(np.ascontiguousarray(expected)))
