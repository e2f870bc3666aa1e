"""Cross-validation's figures: mean, deviation, pairs with a corrected interval, folds without a figure."""

import math

import numpy as np
import pytest
from scipy import stats

from mpmm.results import FoldSpread, Scores, crossvalidation, paired, together


def scored(right, wrong):
    return Scores.from_confusion([[right, wrong], [0, 10]], ("soil", "water"))


OURS = [scored(80, 10), scored(85, 5), scored(70, 20), scored(90, 0)]
THEIRS = [scored(75, 15), scored(86, 4), scored(60, 30), scored(80, 10)]


def test_mean_and_deviation_are_the_samples():
    summary = crossvalidation({"mpmm": OURS, "KNN": THEIRS}, held_out=0.25)
    accuracies = [each.overall_accuracy.value for each in OURS]
    assert summary["mpmm"]["overall_accuracy"]["mean"] == pytest.approx(np.mean(accuracies))
    assert summary["mpmm"]["overall_accuracy"]["deviation"] == pytest.approx(np.std(accuracies, ddof=1))
    assert [Scores.from_dict(fold) for fold in summary["KNN"]["folds"]] == THEIRS
    assert "lead" not in summary["mpmm"]


def test_pairs_have_the_corrected_interval():
    pair = paired(OURS, THEIRS, held_out=0.25)
    differences = np.array([0.05, -0.01, 0.10, 0.10])
    assert pair.ahead.mean == pytest.approx(0.06)
    assert pair.wins == 3
    half = stats.t.ppf(0.975, 3) * math.sqrt(1 / 4 + 0.25) * differences.std(ddof=1)
    assert (pair.low, pair.high) == pytest.approx((0.06 - half, 0.06 + half))
    uncorrected = stats.ttest_rel([0.9, 0.95, 0.8, 1.0], [0.85, 0.96, 0.7, 0.9]).confidence_interval(0.95)
    without = paired(OURS, THEIRS, held_out=0.0)
    assert (without.low, without.high) == pytest.approx((uncorrected.low, uncorrected.high))


def test_a_fold_without_a_figure_leaves_the_figure_out():
    assert FoldSpread.of([0.5, None, 0.7]) == FoldSpread(None, None)
    assert FoldSpread.of([0.5]) == FoldSpread(None, None)


def test_folds_together_count_every_patch_once():
    assert together(OURS).confusion == ((325, 35), (0, 40))
