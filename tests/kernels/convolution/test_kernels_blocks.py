"""Blocks by emitted kernels against the reference kernels: shapes, precisions, batches, inference."""

from dataclasses import replace

import numpy as np
import pytest
from block_cases import ADDED, CASES, SOME, STEP, VALID, each, errors, make, norm_of, plan_of, planned, run
from mpmm_kernels.convolution import Gradients, Operands, argmax_gradient, block
from mpmm_kernels.layers.batchnorm import normalise
from mpmm_kernels.layers.ending import unchanged
from mpmm_kernels.layers.joining import add


@each(CASES)
def test_equals_reference_kernels(name):
    kernels, case = CASES[name]
    assert max(errors(kernels, case)) < 1e-5


@each(
    (
        "first layer",
        "strided, indirect",
        "odd filters, depth",
        "F(4x4,3x3)",
        "one channel, F(4x4,3x3)",
        "F(8,7), padded",
    )
)
def test_equals_reference_kernels_in_double_precision(name):
    kernels, case = CASES[name]
    assert max(errors(kernels, case, "float64")) < 1e-13


@each(SOME)
def test_a_smaller_batch_uses_the_same_buffers(name):
    """What a larger batch left in the buffers must not leak into the next, smaller one."""
    kernels, case = CASES[name]
    plan = plan_of(kernels, case)
    buffers = block.allocate(plan, 9)
    run(kernels, case, samples=9, buffers=buffers)
    for actual, wanted in zip(
        run(kernels, case, samples=1, buffers=buffers), run(kernels, case, samples=1), strict=True
    ):
        np.testing.assert_array_equal(actual, wanted)


@each(SOME)
def test_inference_and_a_backward_without_input_gradient_give_the_same_bits(name):
    kernels, case = CASES[name]
    y, _, dw, db = run(kernels, case)
    plan, x, w, b, dy = make(kernels, case, "float32", 3)
    buffers = block.allocate(plan, 3)
    np.testing.assert_array_equal(block.infer(plan, buffers, Operands(x, w, b)), y)
    block.forward(plan, buffers, Operands(x, w, b))
    other_dw, other_db = np.empty_like(dw), np.empty_like(db)
    gradients = Gradients.of_batch(dy, other_dw, other_db)
    assert block.backward(plan, buffers, Operands(x, w, b), gradients, False) is None
    np.testing.assert_array_equal(other_dw, dw)
    np.testing.assert_array_equal(other_db, db)


@each(SOME)
def test_inference_sees_every_bit_of_weights_that_changed_in_their_memory(name):
    """Points of weights are kept from call to call; an optimizer writes into the same array."""
    kernels, case = CASES[name]
    plan, x, w, b, _ = make(kernels, case, "float32", 1)
    buffers = block.allocate(plan, 1)
    for changed in (1.0, 0.0, -0.0, np.nan, 2.0):
        w[-1, -1, -1, -1, -1] = changed
        y = [block.infer(plan, each, Operands(x, w, b)) for each in (buffers, block.allocate(plan, 1))]
        assert y[0].tobytes() == y[1].tobytes()


@each(SOME)
def test_inference_goes_back_to_its_weights_after_a_forward_by_others(name):
    """A training's forward makes points of its own weights where those of the last inference were kept."""
    kernels, case = CASES[name]
    plan, x, w, b, _ = make(kernels, case, "float32", 1)
    buffers = block.allocate(plan, 1)
    first = block.infer(plan, buffers, Operands(x, w, b)).tobytes()
    block.forward(plan, buffers, Operands(x, w + 1, b))
    assert block.infer(plan, buffers, Operands(x, w, b)).tobytes() == first


# with whole vectors and parts of them, pooled, and what has something between convolution and norm
NORMALISED = (
    *("odd sizes, indirect", "strided, indirect", "four vectors, indirect", "F(2x2,4x4), odd channels"),
    *("averaged, indirect", "F(8,7), padded", "F(8,7), two runs"),
    *("odd channels, pooled", "one channel, F(4x4,5x5)", "F(3x3,3x3), odd channels", "odd sizes"),
)


@each(NORMALISED)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_inference_that_ends_with_batchnorm_has_the_bits_of_batchnorm_behind_it(name, dtype):
    kernels, case = CASES[name]
    plan, x, w, b, _ = make(kernels, case, dtype, 3)
    rng, filters = np.random.default_rng(11), plan.filters
    # a mean of 0 and a scale of -1 make a zero of the other sign of ReLU's
    none, scale = np.zeros(filters), -rng.integers(1, 3, filters)
    norm = norm_of(none, scale, none, dtype, relu=case[4] == VALID)
    x[0, 2, 3, 3] = np.nan
    expected = block.infer(plan, block.allocate(plan, 3), Operands(x, w, b)).copy()
    pixels = expected.reshape(3, -1, filters)
    normalise(pixels, norm, pixels)
    buffers = block.allocate(plan, 3)
    made = block.infer(plan, buffers, Operands(x, w, b, norm))
    assert made.tobytes() == expected.tobytes()
    # nothing of the norm is left for what comes next
    plain = block.allocate(plan, 3)
    forwards = [block.forward(plan, each, Operands(x, w, b)) for each in (buffers, plain)]
    assert forwards[0].tobytes() == forwards[1].tobytes()


@each(NORMALISED)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("count", "kept"), [(1, False), (2, True), (3, False), (3, True)])
def test_an_inference_that_ends_with_a_sum_has_the_bits_of_the_sum_and_batchnorm_behind_it(
    name, dtype, count, kept
):
    """The sum of a shortcut, read by who normalises it and perhaps by others, as SSRN has it."""
    kernels, case = CASES[name]
    plan, x, w, b, dy = make(kernels, case, dtype, 3)
    rng, filters = np.random.default_rng(5), plan.filters
    addends = tuple(rng.standard_normal(dy.shape).astype(dtype) for _ in range(count))
    norm = norm_of(*rng.standard_normal((3, filters)), dtype, relu=True)
    x[0, 2, 3, 3] = np.nan
    total = np.empty_like(dy)
    add([*addends, block.infer(plan, block.allocate(plan, 3), Operands(x, w, b))], total)
    normalised, apart = np.empty_like(dy), np.empty_like(dy) if kept else None
    normalise(total.reshape(3, -1, filters), norm, normalised.reshape(3, -1, filters))
    made = block.infer(plan, block.allocate(plan, 3), Operands(x, w, b, norm, addends, apart))
    assert made.tobytes() == (total if kept else normalised).tobytes()
    assert apart is None or apart.tobytes() == normalised.tobytes()


@each(NORMALISED[-2:])
@pytest.mark.parametrize("relu", [False, True])
def test_an_inference_that_ends_with_a_sum_alone_changes_no_bit_of_it(name, relu):
    kernels, case = CASES[name]
    plan, x, w, b, dy = make(kernels, case, "float32", 3)
    # a sum of -0 stays one
    shortcut, nothing = np.full_like(dy, -0.0), np.zeros_like(w)
    operands = Operands(x, nothing, np.full_like(b, -0.0))
    total = np.empty_like(dy)
    for addend in (shortcut, dy):
        add([addend, block.infer(plan, block.allocate(plan, 3), operands)], total, relu)
        ended = operands._replace(norm=unchanged(plan.filters, "float32", relu), addends=(addend,))
        assert block.infer(plan, block.allocate(plan, 3), ended).tobytes() == total.tobytes()


@each(ADDED)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_inference_added_to_what_is_there_has_the_bits_of_their_sum(name, dtype):
    kernels, case = CASES[name]
    plan, x, w, b, dy = make(kernels, case, dtype, 3)
    assert block.adds(plan)
    x[0, 2, 2, 2], buffers = np.nan, block.allocate(plan, 3)
    plain = block.infer(plan, buffers, Operands(x, w, b)).copy()
    total = np.empty_like(dy)
    add([dy, plain], total)
    onto = dy.copy()
    assert block.infer(plan, buffers, Operands(x, w, b, onto=onto)) is onto
    assert onto.tobytes() == total.tobytes()
    # the block's own output is not touched, nor added to by what comes next
    assert block.infer(plan, buffers, Operands(x, w, b)).tobytes() == plain.tobytes()


@pytest.mark.parametrize(
    "case", ["two share, strided, depth", "two planes pooled, depth", "half a vector, depth", "first layer"]
)
def test_outputs_pooled_changed_by_sigmoid_or_made_by_other_kernels_are_not_added(case):
    plan, x, w, b, dy = make(*CASES[case], "float32", 3)
    assert not block.adds(plan)
    with pytest.raises(AssertionError, match="adds"):
        block.infer(plan, block.allocate(plan, 3), Operands(x, w, b, onto=dy))


@each(SOME)
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_no_number_or_not_finite_is_not_hidden(name, wrong):
    """Where there is no ReLU every gradient goes on; a bias's is the sum of all."""
    kernels, case = CASES[name]
    plan = replace(plan_of(kernels, case), activation="none")
    _, x, w, b, dy = make(kernels, case, "float32", 2)
    dy[1, 0, 0, 0, 1] = wrong
    buffers, dw, db = block.allocate(plan, 2), np.empty_like(w), np.empty_like(b)
    block.forward(plan, buffers, Operands(x, w, b))
    block.backward(plan, buffers, Operands(x, w, b), Gradients.of_batch(dy, dw, db), True)
    np.testing.assert_array_equal(db[1], wrong)
    assert np.isfinite(np.delete(db, 1)).all()
    assert not np.isfinite(dw[..., 1]).all()


@each(SOME)
def test_what_is_not_a_number_is_not_hidden_by_the_pool(name):
    kernels, case = CASES[name]
    plan, x, w, b, _ = make(kernels, case, "float32", 2)
    x[0, 2, 3, 3] = np.nan
    y = block.forward(plan, block.allocate(plan, 2), Operands(x, w, b))
    plain = planned(case, "float32", "reference")
    expected = block.forward(plain, block.allocate(plain, 2), Operands(x, w, b))
    spread = np.isnan(y) & ~np.isnan(expected)
    assert np.isnan(y[np.isnan(expected)]).all()
    # of a tile along the bands all outputs are sums of all points
    assert not spread.any() or name == "F(8,7), padded"
    assert np.isnan(y).any()


def test_shapes_no_emitted_kernel_takes_fall_to_the_reference_ones():
    huge_window = ((9, 9, 9, 1), 2, (1, 1, 1), STEP, VALID, "relu", "max", (5, 5, 5))
    assert str(planned(huge_window, "float32", "direct")) == "reference"


@pytest.mark.parametrize(("side", "near"), [(100, True), (1000, False)])
def test_argmax_is_taken_only_where_its_offsets_are_exact(side, near):
    """Offsets are float32 in vectors, whole numbers up to 2**24: beyond, wrong pixels would be read."""
    case = (4, side, side, 32), 16, (1, 3, 3), STEP, VALID, "relu", "max", (2, 2, 2)
    assert argmax_gradient.suits(planned(case, "float32", "direct")) is near


def test_fast_leaves_small_blocks_to_the_reference_kernels():
    """They would take seconds to compile and save microseconds."""
    small = ((8, 7, 7, 1), 4, (3, 3, 3), STEP, VALID, "relu", "max", (2, 2, 2))
    assert str(planned(small, "float32", "direct")).startswith("indirect ")
    assert str(planned(small, "float32", "fast")) == "reference"
