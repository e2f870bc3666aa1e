"""Scores against scikit-learn's metrics and against the definitions."""

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import binomtest
from sklearn import metrics

from mpmm.errors import RunError
from mpmm.results.scores import Estimate, Scores, confusion_matrix, f1, proportion, score

NAMES = ("water", "road", "roof", "grass", "crop")
POSITIONS = st.integers(0, len(NAMES) - 1)


@st.composite
def predictions(draw):
    count = draw(st.integers(1, 60))
    shape = arrays.arrays(np.int64, count, elements=POSITIONS)
    return draw(shape), draw(shape)


@given(predictions())
@settings(deadline=None, max_examples=60)
def test_equal_to_scikit_learn(both):
    truth, predicted = both
    ours, every = score(truth, predicted, NAMES), np.arange(len(NAMES))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # undefined ratios, told apart below
        precision, recall, f_one, support = metrics.precision_recall_fscore_support(
            truth, predicted, labels=every, zero_division=np.nan
        )
        kappa = metrics.cohen_kappa_score(truth, predicted, labels=every)
        balanced = metrics.balanced_accuracy_score(truth, predicted)
    np.testing.assert_array_equal(ours.confusion, metrics.confusion_matrix(truth, predicted, labels=every))
    assert ours.overall_accuracy.value == pytest.approx(metrics.accuracy_score(truth, predicted))
    assert ours.average_accuracy == pytest.approx(balanced)
    assert _number(ours.kappa) == pytest.approx(kappa, nan_ok=True)
    for k, each in enumerate(ours.per_class):
        assert each.samples == support[k]
        assert _number(each.precision.value) == pytest.approx(precision[k], nan_ok=True)
        assert _number(each.recall.value) == pytest.approx(recall[k], nan_ok=True)
        assert _number(each.f1.value) == pytest.approx(f_one[k], nan_ok=True)


@given(st.integers(1, 2000), st.data())
def test_wilson_equal_to_scipy(trials, data):
    hits = data.draw(st.integers(0, trials))
    ours = proportion(hits, trials)
    theirs = binomtest(hits, trials).proportion_ci(0.95, method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert ours.low <= ours.value <= ours.high


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_f1_lies_in_its_interval(hits, false_alarms, misses):
    estimate = f1(hits, false_alarms, misses)
    if hits + false_alarms + misses == 0:
        assert estimate == Estimate(None, None, None)
    else:
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_f1_interval_covers_the_truth_19_times_in_20():
    rng = np.random.Generator(np.random.PCG64(7))
    cells = np.array([0.30, 0.05, 0.15, 0.50])  # TP, FP, FN, TN
    truth = 2 * cells[0] / (2 * cells[0] + cells[1] + cells[2])
    draws = rng.multinomial(120, cells, size=3000)
    covered = [e.low <= truth <= e.high for e in (f1(tp, fp, fn) for tp, fp, fn, _ in draws.tolist())]
    assert 0.935 < np.mean(covered) < 0.965


def test_a_class_without_samples_has_no_recall_and_does_not_count():
    scores = score([0, 0, 1, 1], [0, 0, 1, 0], ("a", "b", "c"))
    assert scores.per_class[2].recall.value is None
    assert scores.per_class[2].precision.value is None
    assert scores.per_class[2].f1.value is None
    assert scores.average_accuracy == pytest.approx(0.75)
    assert str(scores.per_class[2].f1) == "-"


def test_a_class_never_predicted_has_no_precision_but_an_f1_of_zero():
    scores = score([0, 1], [0, 0], ("a", "b"))
    assert scores.per_class[1].precision.value is None
    assert scores.per_class[1].recall.value == 0
    assert scores.per_class[1].f1.value == 0


def test_one_class_only_leaves_kappa_open():
    scores = score([1, 1, 1], [1, 1, 1], ("a", "b"))
    assert scores.kappa is None
    assert scores.overall_accuracy.value == 1


def test_no_samples_leave_everything_open():
    scores = score(np.zeros(0, int), np.zeros(0, int), ("a", "b"))
    assert scores.samples == 0
    assert scores.overall_accuracy.value is scores.kappa is scores.average_accuracy is None


def test_known_interval_prints():
    assert str(proportion(8, 10)) == "80.0 [49.0, 94.3]"


@given(predictions())
def test_through_json_and_back(both):
    scores = score(*both, NAMES)
    assert Scores.from_dict(json.loads(json.dumps(scores.to_dict()))) == scores


@pytest.mark.parametrize(
    ("truth", "predicted", "says"),
    [
        ([0, 1], [0], "shape"),
        ([[0], [1]], [[0], [1]], "shape"),
        ([0, 5], [0, 1], "true classes reach from 0 to 5"),
        ([0, 1], [-1, 1], "predicted classes reach from -1 to 1"),
        ([0.0, 1.0], [0, 1], "float64"),
    ],
)
def test_bad_positions_are_refused(truth, predicted, says):
    with pytest.raises(RunError, match=says):
        confusion_matrix(truth, predicted, 5)


@pytest.mark.parametrize("matrix", [np.zeros((2, 3), int), np.full((2, 2), 0.5), [[1, -1], [0, 1]]])
def test_bad_matrices_are_refused(matrix):
    with pytest.raises(RunError, match="confusion matrix"):
        Scores.from_confusion(matrix, ("a", "b"))


def test_a_damaged_file_is_refused():
    with pytest.raises(RunError, match="scores without classes"):
        Scores.from_dict({"confusion": [[1]]})


def _number(value):
    return np.nan if value is None else value
