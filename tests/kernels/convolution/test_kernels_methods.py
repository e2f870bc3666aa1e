"""What every method tells: its name, its cost and its scratch; and which of them a choice of kernels gets."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from mpmm_kernels.arrays import WorkerScratch
from mpmm_kernels.convolution import (
    ConvolutionBlock,
    Gradients,
    Operands,
    allocate,
    backward,
    cost,
    forward,
    infer,
    plan_block,
    scratch_bytes,
)
from mpmm_kernels.convolution.methods import METHODS
from mpmm_kernels.convolution.shared.sums import SumRow
from mpmm_kernels.runtime import SameTypes
from mpmm_kernels.vocabulary import Kernels, MethodName

BLOCK = ConvolutionBlock(16, (3, 3, 3), activation="relu", pool="max", window=(2, 2, 2))
PLAN = plan_block((12, 14, 14, 8), BLOCK, "float32", "reference")


def test_every_name_has_its_method():
    assert set(METHODS) == set(get_args(MethodName))
    assert all(method.name == name for name, method in METHODS.items())


@pytest.mark.parametrize("kernels", get_args(Kernels))
def test_every_choice_has_a_method_for_every_shape(kernels):
    huge_window = ConvolutionBlock(2, (1, 1, 1), pool="max", window=(5, 5, 5))
    plan = plan_block((9, 9, 9, 1), huge_window, "float32", kernels)
    assert plan.method == "reference"
    assert str(plan) == "reference"


def test_a_plan_tells_name_and_detail():
    plan = plan_block((12, 14, 14, 8), BLOCK, "float32", "fast")
    assert plan.method == "winograd"
    assert plan.detail.startswith("F(")
    assert str(plan) == f"winograd {plan.detail}"


def test_tiles_cost_half_of_a_direct_convolution():
    costs = {name: cost(replace(PLAN, method=name)) for name in get_args(MethodName)}
    direct = 2 * 10 * 12 * 12 * 16 * 27 * 8
    assert {name for name, of in costs.items() if of == direct} == {
        "reference",
        "direct",
        "indirect",
        "depth",
    }
    assert {name for name, of in costs.items() if of == direct / 2} == {
        "winograd",
        "winograd-depth",
        "winograd-spectral",
    }


@pytest.mark.parametrize("name", ["reference", "direct", "indirect", "depth", "winograd", "winograd-depth"])
@pytest.mark.parametrize("pool", ["max", "average", None])
def test_scratch_is_part_of_what_is_allocated(name, pool):
    """Arrays for a batch grow with it, workers' rows do not; neither is more than there is."""
    kernel = (7, 1, 1) if name == "winograd-depth" else (3, 3, 3)
    block = replace(BLOCK, kernel=kernel, pool=pool)
    plan = replace(plan_block((14, 14, 14, 8), block, "float32", "reference"), method=name)
    of_one, of_three = scratch_bytes(plan, 1), scratch_bytes(plan, 3)
    assert 0 <= of_one <= of_three <= 3 * of_one
    assert of_three <= total_bytes(METHODS[name].allocate(plan, 3))


def total_bytes(buffers):
    """Bytes of the arrays of buffers, and of the buffers inside; each once, though passes share scratch."""
    return sum({id(array): array.nbytes for array in arrays_of(buffers)}.values())


def arrays_of(buffers):
    """The arrays of buffers, of a kernel's scratch and of the buffers inside."""
    for part in buffers if isinstance(buffers, tuple) else vars(buffers).values():
        if isinstance(part, np.ndarray):
            yield part
        elif part is not None and not isinstance(part, SameTypes | SumRow):
            yield from arrays_of(part.whole if isinstance(part, WorkerScratch) else part)


def test_the_reference_keeps_the_convolution_and_argmax():
    convolved, pooled = 10 * 12 * 12 * 16, 5 * 6 * 6 * 16
    assert scratch_bytes(PLAN, 2) == 2 * (4 * convolved + pooled)


@pytest.mark.parametrize("kernels", get_args(Kernels))
def test_an_array_of_another_type_is_refused(kernels):
    """Kernels, which look at types once, would take its bits for numbers of the plan's."""
    plan = plan_block((3, 4, 4, 2), ConvolutionBlock(3, (2, 3, 3)), "float32", kernels)
    buffers, shapes = allocate(plan, 2), ((2, *plan.input_shape), plan.weights_shape, (plan.filters,))
    right, wrong = ([np.zeros(shape, dtype) for shape in shapes] for dtype in ("float32", "float64"))
    dy = np.zeros((2, *plan.output_shape), "float32")
    passes = {
        "forward": lambda operands: forward(plan, buffers, operands),
        "infer": lambda operands: infer(plan, buffers, operands),
        "backward": lambda operands: backward(
            plan, buffers, operands, Gradients.of_batch(dy, right[1].copy(), right[2].copy()), True
        ),
    }
    for run in passes.values():
        run(Operands(*right))
        for n in range(3):
            with pytest.raises(TypeError, match="computes in float32, got an array of float64: convert it"):
                run(Operands(*right[:n], wrong[n], *right[n + 1 :]))
    for odd in ({"dy": dy.astype("float64")}, {"dw": wrong[1][None]}, {"db": wrong[2][None]}):
        gradients = Gradients.of_batch(dy, right[1].copy(), right[2].copy())._replace(**odd)
        with pytest.raises(TypeError, match="got an array of float64"):
            backward(plan, buffers, Operands(*right), gradients, True)
    norm = np.ones((4, 3))
    with pytest.raises(TypeError, match="got an array of float64"):
        infer(plan, buffers, Operands(*right, norm=norm))
