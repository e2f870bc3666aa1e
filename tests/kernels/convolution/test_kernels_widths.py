"""Emitted kernels of either width of vector, checked places, thread counts: each in a process of its own."""

import os

import pytest
from block_cases import BANDS, DEPTH, SOME, WINOGRAD, python, script
from mpmm_kernels.vector import REGISTER_BITS


def methods(width):
    """Plans of all cases where a vector has so many bits, by name: the method and its block or tile."""
    return dict(line.split(": ") for line in script("plans", MPMM_VECTOR_BITS=str(width)))


@pytest.mark.parametrize(
    ("width", "wide_lines", "whole_scene", "many_channels"),
    [
        (256, "indirect 4x2", "direct outer 6x2", "indirect 4x2"),
        (512, "direct slide 22x1", "direct outer 14x2", "indirect 8x2"),
    ],
)
def test_plans_tell_how_they_run(width, wide_lines, whole_scene, many_channels):
    """Both widths' plans are made on any processor: those of the machine at hand alone were tested before."""
    plans = methods(width)
    assert plans["wide lines"] == wide_lines
    assert plans["whole scene"] == whole_scene
    assert plans["many channels"] == many_channels
    for name in WINOGRAD:
        assert plans[name] == f"winograd {name.split('), ')[0].rstrip(')')})"
    for name in BANDS:
        tile = name.removeprefix("one channel, ").removesuffix(", deep kernel")
        assert plans[name] == f"winograd-spectral {tile}"


@pytest.mark.parametrize(
    ("width", "in_depth"), [(256, {"half a vector", "odd filters"}), (512, set(DEPTH))], ids=[256, 512]
)
def test_few_filters_go_to_the_method_for_them(width, in_depth):
    """Wide vectors leave more of themselves empty, so that more shapes are few filters to them."""
    plans = methods(width)
    assert {name for name in DEPTH if plans[f"{name}, depth"].startswith("depth ")} == in_depth


@pytest.mark.xdist_group("threads")
def test_the_same_bits_at_any_number_of_threads():
    assert script("threads", NUMBA_NUM_THREADS="4") == SOME


@pytest.mark.xdist_group("checked build")
def test_no_kernel_leaves_its_arrays():
    """In the checked build every load and store looks at its place first."""
    assert script("compare", NUMBA_BOUNDSCHECK="1", NUMBA_NUM_THREADS="1") == SOME


def test_a_vector_of_no_known_width_is_refused():
    done = python("plans", MPMM_VECTOR_BITS="300")
    assert "MPMM_VECTOR_BITS must be 128, 256 or 512, not '300'" in done.stderr


def test_the_checked_build_refuses_a_wrong_place():
    assert script("overrun", NUMBA_BOUNDSCHECK="1") == ("refused",)


@pytest.mark.xdist_group("other width")
@pytest.mark.skipif(REGISTER_BITS == 512, reason="the other tests run vectors of 512 bits")
def test_right_with_the_vectors_of_a_wider_processor():
    assert script("compare", MPMM_VECTOR_BITS="512") == SOME


@pytest.mark.xdist_group("other width")
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="AVX2 belongs to x86-64")
@pytest.mark.skipif(REGISTER_BITS == 256, reason="the other tests run vectors of 256 bits")
def test_right_on_a_processor_with_avx2_only():
    features = "+avx,+avx2,+fma,+bmi,+bmi2,+popcnt,+sse4.1,+sse4.2,-avx512f"
    assert script("compare", NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES=features) == SOME
