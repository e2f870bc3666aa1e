"""Emitted kernels of either width of vector, checked places, thread counts: each in a process of its own."""

import os
from functools import cache

import pytest
from block_cases import (
    ADDED,
    ALONG_BANDS,
    BANDS,
    DEPTH,
    ENDED,
    NORMALISED,
    REBUILT,
    SOME,
    WINOGRAD,
    python,
    script,
)
from mpmm_kernels.vector import REGISTER_BITS

# The fewest of LLVM's passes, which take half of the time: places and bits are ours to say, not theirs
FEW_PASSES = {"NUMBA_OPT": "0"}
CHECKED = {"NUMBA_BOUNDSCHECK": "1", **FEW_PASSES}


@cache
def methods(width):
    """Plans of all cases where a vector has so many bits, by name: the method and its block or tile."""
    return dict(line.split(": ") for line in script("plans", MPMM_VECTOR_BITS=str(width)))


@pytest.mark.parametrize(
    ("width", "wide_lines", "whole_scene", "many_channels"),
    [
        (256, "direct slide 11x1", "direct outer 6x2", "indirect 4x2"),
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
    for name in ALONG_BANDS:
        assert plans[name] == f"winograd-depth {name.split(', ')[0]}"
    for name in BANDS:
        tile = name.removeprefix("one channel, ").removesuffix(", deep kernel")
        assert plans[name] == f"winograd-spectral {tile}"


@pytest.mark.parametrize("width", [128, 256])
def test_methods_do_not_follow_from_the_width(width):
    """A plan decides about the order of sums: on AVX2 it was another one, and so were a training's bits."""
    plans, wide = methods(width), methods(512)
    assert {name: plan.split()[0] for name, plan in plans.items()} == {
        name: plan.split()[0] for name, plan in wide.items()
    }
    assert {name for name in DEPTH if plans[f"{name}, depth"].startswith("depth ")} == set(DEPTH)


@cache
def own_bits():
    """Fingerprints by case as this machine computes them: on 1, 2 and 4 threads, all alike."""
    return dict(line.split(": ") for line in script("threads", NUMBA_NUM_THREADS="4"))


def rebuilt_bits():
    """Of those the lines that a process prints which compiles for another processor, or with checks."""
    return tuple(f"{name}: {own_bits()[name]}" for name in (*REBUILT, *_ended()))


def _ended():
    ended = (f"{name}, ended" for name in ENDED)
    return (*ended, *(f"{name}, normalised" for name in NORMALISED), f"{ADDED[-1]}, added")


@pytest.mark.xdist_group("own width")
def test_the_same_bits_at_any_number_of_threads():
    assert set(own_bits()) == {*SOME, *REBUILT, *_ended()}


@pytest.mark.xdist_group("own width")
def test_no_kernel_leaves_its_arrays():
    """In the checked build every load and store looks at its place first; the bits are the same."""
    assert script("compare", NUMBA_NUM_THREADS="1", **CHECKED) == rebuilt_bits()


def test_a_vector_of_no_known_width_is_refused():
    done = python("plans", MPMM_VECTOR_BITS="300")
    assert "MPMM_VECTOR_BITS must be 128, 256 or 512, not '300'" in done.stderr


def test_the_checked_build_refuses_a_wrong_place():
    assert script("overrun", **CHECKED) == ("refused",)


@pytest.mark.xdist_group("own width")
@pytest.mark.parametrize("width", [128, 256, 512])
def test_right_with_vectors_of_any_width_and_the_same_bits(width):
    """Of a wider processor's too: LLVM makes those vectors in parts.

    The bits are those of this machine's own width, which other tests hold against the reference kernels.
    """
    if width == REGISTER_BITS:
        pytest.skip("the other tests run vectors of this width")
    if width == 128 and not os.environ.get("MPMM_FULL"):
        pytest.skip("compiles for a minute more, and the next wider ones are in parts too")
    passes = {} if os.environ.get("MPMM_FULL") else FEW_PASSES
    assert script("bits", MPMM_VECTOR_BITS=str(width), **passes) == rebuilt_bits()


@pytest.mark.xdist_group("own width")
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="AVX2 belongs to x86-64")
@pytest.mark.skipif(REGISTER_BITS == 256, reason="the other tests run vectors of 256 bits")
def test_right_on_a_processor_with_avx2_only():
    features = "+avx,+avx2,+fma,+bmi,+bmi2,+popcnt,+sse4.1,+sse4.2,-avx512f"
    assert script("compare", NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES=features) == rebuilt_bits()
