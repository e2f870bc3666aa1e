"""Area and accuracy by class: the paper's example, its formulae as plain loops, what is refused."""

import math

import numpy as np
import pytest

from mpmm.errors import RunError
from mpmm.results import estimate_areas

# Olofsson et al. 2014, Table 8: sample counts by map class (rows) and reference class; mapped pixels of 30 m
NAMES = ("deforestation", "forest gain", "stable forest", "stable non-forest")
SAMPLE = [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]]
MAPPED = [200_000, 150_000, 3_200_000, 6_450_000]
HECTARES = 30 * 30 / 10_000


def test_the_papers_worked_example_to_its_printed_digits():
    estimate = estimate_areas(SAMPLE, MAPPED, NAMES)
    first = estimate.classes[0]
    pixels = estimate.pixels * first.area.value, estimate.pixels * first.area.half
    assert [round(each) for each in pixels] == [235_086, 68_418]
    hectares = [
        [round(HECTARES * estimate.pixels * end) for end in (each.area.value, each.area.half)]
        for each in estimate.classes
    ]
    assert hectares == [[21_158, 6_158], [11_686, 3_756], [285_770, 15_510], [581_386, 16_282]]
    users = [[round(each.users.value, 2), round(each.users.half, 2)] for each in estimate.classes]
    assert users == [[0.88, 0.07], [0.73, 0.10], [0.93, 0.04], [0.96, 0.02]]
    assert (round(first.producers.value, 2), round(first.producers.half, 2)) == (0.75, 0.21)
    assert (round(estimate.overall.value, 3), round(estimate.overall.half, 3)) == (0.947, 0.018)
    np.testing.assert_allclose(estimate.proportions[0], [0.0176, 0, 0.0013, 0.0011], atol=5e-5)


def test_producers_accuracy_has_the_variance_of_equation_7():
    estimate = estimate_areas(SAMPLE, MAPPED, NAMES)
    totals = [sum(row) for row in SAMPLE]
    for j, each in enumerate(estimate.classes):
        share = [SAMPLE[i][j] / totals[i] for i in range(4)]
        whole = sum(MAPPED[i] * share[i] for i in range(4))
        producers, users = MAPPED[j] * share[j] / whole, share[j]
        own = MAPPED[j] ** 2 * (1 - producers) ** 2 * users * (1 - users) / (totals[j] - 1)
        others = sum(MAPPED[i] ** 2 * share[i] * (1 - share[i]) / (totals[i] - 1) for i in range(4) if i != j)
        assert each.producers.value == pytest.approx(producers, rel=1e-12)
        error = math.sqrt(own + producers**2 * others) / whole
        assert each.producers.error == pytest.approx(error, rel=1e-12)


def test_intervals_hold_their_level_over_many_samples():
    """Samples drawn again and again from a known truth: about 95 of 100 intervals hold the true area."""
    generator = np.random.default_rng(3)
    truth = np.array([[0.8, 0.2], [0.1, 0.9]])
    mapped, area = np.array([30_000, 70_000]), 0.3 * 0.8 + 0.7 * 0.1
    hits = 0
    for _ in range(400):
        counts = np.stack([generator.multinomial(100, row) for row in truth])
        first = estimate_areas(counts, mapped, ("a", "b")).classes[0].area
        hits += abs(first.value - area) <= first.half
    assert 0.92 <= hits / 400 <= 0.98


def test_a_map_without_errors_has_its_own_areas_and_no_doubt():
    estimate = estimate_areas(np.diag([5, 7]), [30, 70], ("a", "b"))
    assert [each.area.value for each in estimate.classes] == [0.3, 0.7]
    assert {each.area.error for each in estimate.classes} == {0.0}
    assert estimate.overall.value == 1


def test_what_is_not_defined_is_none():
    """A class that is never mapped has no user's accuracy, one that is nowhere true no producer's."""
    never_mapped, nowhere_true = estimate_areas([[0, 0], [3, 0]], [0, 10], ("a", "b")).classes
    assert (never_mapped.users.value, never_mapped.producers.value, never_mapped.area.value) == (None, 0, 1)
    assert (nowhere_true.producers.value, nowhere_true.producers.half) == (None, None)
    assert nowhere_true.area.value == 0


@pytest.mark.parametrize("sampled", [0, 1])
def test_a_mapped_class_with_fewer_than_two_sample_pixels_is_refused(sampled):
    with pytest.raises(RunError, match=rf"{sampled} pixels of the sample .* says b.* 25\.00% of its pixels"):
        estimate_areas([[4, 0], [0, sampled]], [75, 25], ("a", "b"))
