"""Exponential and logarithm against the C library's, which they need not agree with in the last bit."""

import math

import numpy as np
import pytest
from mpmm_kernels.layers.elementary import exponential, exponential_less_one, logarithm


def test_the_exponential_is_right_to_two_units_in_the_last_place():
    chance = np.random.default_rng(1)
    for x in (*chance.uniform(-700, 700, 2000), *chance.normal(size=2000), 0.0, -1e-300, 0.5 * math.log(2)):
        assert abs(exponential(x) - math.exp(x)) <= 2 * math.ulp(math.exp(x)), x


def test_the_exponential_less_one_keeps_the_digits_of_small_arguments():
    chance = np.random.default_rng(3)
    for x in (*chance.uniform(-1, 1, 2000), *-np.exp(chance.uniform(-40, 0, 2000)), 0.0, -50.0):
        assert abs(exponential_less_one(x) - math.expm1(x)) <= 4 * math.ulp(math.expm1(x)), x
    assert math.isnan(exponential_less_one(math.nan))


def test_the_logarithm_is_right_to_two_units_in_the_last_place():
    chance = np.random.default_rng(2)
    for x in (*np.exp(chance.uniform(-700, 700, 2000)), *chance.uniform(0.5, 2, 2000), 1.0, 2.0, 0.75):
        assert abs(logarithm(x) - math.log(x)) <= 2 * math.ulp(math.log(x)), x


@pytest.mark.parametrize(
    ("x", "wanted"), [(-math.inf, 0.0), (-800.0, 0.0), (0.0, 1.0), (800.0, math.inf), (math.inf, math.inf)]
)
def test_what_is_beyond_all_numbers_is_zero_or_infinite(x, wanted):
    assert exponential(x) == wanted


def test_what_is_no_number_stays_so():
    assert math.isnan(exponential(math.nan))
    assert math.isnan(logarithm(math.nan))
    assert logarithm(math.inf) == math.inf


def test_narrow_numbers_are_taken_too():
    assert exponential(np.float32(-0.5)) == exponential(-0.5)
