"""Values in two bytes: to the nearest, ties to even; infinities, NaNs and the smallest numbers are kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpmm.messages import Kind, carrier, decode, encode

# all bfloat16 that are finite and have a larger finite neighbour, of either sign
FINITE = np.concatenate([np.arange(0x7F7F), np.arange(0x8000, 0xFF7F)]).astype(np.uint32)


def floats(bits: np.ndarray) -> np.ndarray:
    return bits.astype(np.uint32).view(np.float32)


def sent(values: np.ndarray, wire: str) -> np.ndarray:
    buffer = np.empty(values.shape, carrier(wire))
    encode(values.astype(np.float32), buffer)
    return buffer


def arrived(values: np.ndarray, wire: str) -> np.ndarray:
    back = np.full(values.shape, 7, np.float32)
    decode(sent(values, wire), back)
    return back


def test_every_bfloat16_is_itself() -> None:
    assert (sent(floats(FINITE << 16), "bfloat16") == FINITE).all()
    assert (arrived(floats(FINITE << 16), "bfloat16") == floats(FINITE << 16)).all()


@pytest.mark.parametrize(
    ("beyond", "expected"), [(0x7FFF, FINITE), (0x8000, FINITE + FINITE % 2), (0x8001, FINITE + 1)]
)
def test_between_neighbours_the_nearest_is_taken_and_of_ties_the_even(
    beyond: int, expected: np.ndarray
) -> None:
    assert (sent(floats((FINITE << 16) + beyond), "bfloat16") == expected).all()


def test_the_largest_numbers_round_to_infinity() -> None:
    largest = floats(np.array([0x7F7F7FFF, 0x7F7F8000, 0xFF7FFFFF]))
    assert sent(largest, "bfloat16").tolist() == [0x7F7F, 0x7F80, 0xFF80]


@pytest.mark.parametrize("wire", ["bfloat16", "float16"])
def test_what_is_no_number_stays_so(wire: str) -> None:
    # one whose digits are all in the half that is cut, and one that rounding would carry over
    odd = floats(np.array([0x7F800001, 0xFF800001, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FC00000]))
    assert np.isnan(arrived(odd, wire)).all()
    ends = np.array([np.inf, -np.inf, 0.0, -0.0])
    back = arrived(ends, wire)
    assert (back == ends).all()
    assert (np.signbit(back) == np.signbit(ends)).all()


def test_the_smallest_numbers_are_kept_as_far_as_there_are_digits() -> None:
    least = np.float32(2.0**-133)
    small = np.array([least, least / 2, 3 * least / 2, -least, 2.0**-126])
    assert arrived(small, "bfloat16").tolist() == [least, 0.0, 2 * least, -least, 2.0**-126]
    of_half = np.array([2.0**-24, 2.0**-25, 3 * 2.0**-25, 2.0**-14])
    assert arrived(of_half, "float16").tolist() == [2.0**-24, 0.0, 2.0**-23, 2.0**-14]


def test_float16_rounds_and_overflows_as_ieee_754_says() -> None:
    values = np.array([2049.0, 2051.0, 65519.0, 65520.0, -1e30])
    assert arrived(values, "float16").tolist() == [2048.0, 2052.0, 65504.0, np.inf, -np.inf]


@given(st.floats(2.0**-126, 2.0**127, width=32), st.sampled_from([1, -1]))
def test_a_value_is_off_by_half_of_its_last_place_at_most(value: float, sign: int) -> None:
    back = arrived(np.array([sign * value]), "bfloat16")[0]
    assert abs(float(back) - sign * value) <= 2.0**-8 * value


def test_rows_of_an_array_are_rounded_and_widened_where_they_lie() -> None:
    whole = np.zeros((4, 3), np.float32)
    decode(sent(np.full((2, 3), 1.0 + 2.0**-7), "bfloat16"), whole[1:3])
    assert whole.tolist() == [[0.0] * 3, [1.0 + 2.0**-7] * 3, [1.0 + 2.0**-7] * 3, [0.0] * 3]


def test_only_activations_and_gradients_travel_as_bits() -> None:
    bits = carrier("bfloat16")
    assert [kind for kind in Kind if kind.floating and kind.carries(bits)] == [
        Kind.ACTIVATION,
        Kind.GRADIENT,
        Kind.PUSH,
        Kind.TOTAL,
    ]
    assert all(kind.carries(np.dtype("float16")) for kind in Kind)
