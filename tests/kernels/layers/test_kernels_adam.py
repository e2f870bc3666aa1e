"""Adam against Algorithm 1 of the paper, number by number, and PyTorch's AdamW."""

import numpy as np
import pytest
from mpmm_kernels.layers import (
    AdamOptions,
    AdamState,
    AdamTable,
    UpdatedArrays,
    adam_step,
    exponential_average,
)
from mpmm_kernels.layers.adam import PART
from mpmm_kernels.runtime import set_threads
from naive import optimisation as naive

OPTIONS = {"rate": 0.01, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}


def steps(value, gradients, decay):
    first, second = np.zeros_like(value), np.zeros_like(value)
    for number, gradient in enumerate(gradients, start=1):
        adam_step(AdamState(value, first, second), gradient, AdamOptions(**OPTIONS, decay=decay), number)
    return value


def problem(dtype):
    rng = np.random.default_rng(17)
    return rng.standard_normal((3, 5)).astype(dtype), rng.standard_normal((20, 3, 5)).astype(dtype)


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-13), ("float32", 1e-5)])
def test_equals_the_paper(dtype, error, decay):
    value, gradients = problem(dtype)
    expected = [
        naive.adam(float(value[index]), gradients[:, *index].tolist(), **OPTIONS, decay=decay)
        for index in np.ndindex(*value.shape)
    ]
    actual = steps(value, gradients, decay)
    assert actual.dtype == dtype
    np.testing.assert_allclose(actual.ravel(), expected, rtol=0, atol=error)


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-10), ("float32", 1e-4)])
def test_equals_pytorch(dtype, error, decay):
    torch = pytest.importorskip("torch")
    value, gradients = problem(dtype)
    theirs = torch.from_numpy(value.copy()).requires_grad_()
    optimizer = torch.optim.AdamW([theirs], 0.01, (0.9, 0.999), 1e-8, weight_decay=decay)
    for gradient in gradients:
        theirs.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
    np.testing.assert_allclose(steps(value, gradients, decay), theirs.detach().numpy(), rtol=0, atol=error)


def test_the_first_step_is_the_rate_long():
    """Without bias correction it would be about three times the rate."""
    value = steps(np.zeros(3), [np.array([1e-3, -5.0, 100.0])], decay=0.0)
    np.testing.assert_allclose(value, [-0.01, 0.01, -0.01], rtol=1e-4)


@pytest.mark.parametrize(("dtype", "smallest"), [("float32", -126), ("float64", -1022)])
def test_moments_to_which_no_gradient_comes_end_as_zeros(dtype, smallest):
    """Those of units that had died went on below what has all its digits, and slowed steps by a quarter."""
    size = 37
    value, first, second = (np.ones(size, dtype) for _ in range(3))
    none = np.zeros(size, dtype)
    first[::2] = -1
    signs = first.copy()
    for number in range(1, 40 - smallest):
        options = AdamOptions(0.01, 0.5, 0.25, 1e-8, 0.0)
        adam_step(AdamState(value, first, second), none, options, number)
        # halves and quarters are exact
        np.testing.assert_array_equal(first, signs * 2.0**-number if number <= -smallest - 26 else 0)
        np.testing.assert_array_equal(second, 4.0**-number if number <= -smallest / 2 else 0)
    assert np.isfinite(value).all()
    adam_step(AdamState(value, first, second), np.full(size, np.nan, dtype), options, 1)
    assert np.isnan([value, first, second]).all()


@pytest.mark.parametrize(("dtype", "least"), [("float32", -56), ("float64", -504)])
def test_a_gradient_whose_square_would_lose_digits_does_not_count_in_the_second_moment(dtype, least):
    value, first, second = (np.zeros(3, dtype) for _ in range(3))
    gradient = np.array([2.0**least, -(2.0 ** (least - 1)), -(2.0 ** (least + 1))], dtype)
    adam_step(AdamState(value, first, second), gradient, AdamOptions(0.01, 0.5, 0.25, 1e-8, 0.0), 1)
    np.testing.assert_array_equal(first, gradient / 2)
    np.testing.assert_array_equal(second, 0.75 * gradient**2 * [1, 0, 1])


@pytest.mark.parametrize("size", [15, 3 * PART + 1])
def test_elsewhere_is_the_same_and_leaves_the_old_as_it_was(size):
    rng = np.random.default_rng(6)
    value, gradient, first, second = rng.random((4, size), dtype="float32")
    into = tuple(np.full(size, np.nan, "float32") for _ in range(3))
    before = [value.copy(), first.copy(), second.copy()]
    adam_step(AdamState(value, first, second), gradient, AdamOptions(**OPTIONS, decay=0.1), 3, into)
    for now, old in zip((value, first, second), before, strict=True):
        np.testing.assert_array_equal(now, old)
    adam_step(AdamState(value, first, second), gradient, AdamOptions(**OPTIONS, decay=0.1), 3)
    for now, new in zip((value, first, second), into, strict=True):
        np.testing.assert_array_equal(now, new)


def test_a_large_parameter_moves_as_its_parts_do():
    """Threads share it; numbers do not know of each other."""
    rng = np.random.default_rng(5)
    value, gradient = rng.standard_normal((2, 3, PART), dtype="float32")
    whole = steps(value.copy(), [gradient], 0.1)
    for part in range(3):
        np.testing.assert_array_equal(whole[part], steps(value[part].copy(), [gradient[part]], 0.1))


# of weights, which decay, biases and running averages: less than a vector, several parts, and a bit more
WEIGHTS, BIASES, AVERAGES = [(3, 5), (2, PART + 3), (1, 1)], [(1,), (2 * PART,), (37,)], [(7,), (PART + 9,)]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_updated_together_all_have_the_bits_of_updates_each(dtype, threads):
    random, options = np.random.default_rng(8), AdamOptions(**OPTIONS, decay=0.1)
    shapes = [*WEIGHTS, *BIASES, *AVERAGES]
    alone, together = (
        [np.random.default_rng(9).standard_normal((3, *shape)).astype(dtype) for shape in shapes]
        for _ in range(2)
    )
    gradients = [np.empty(shape, dtype) for shape in shapes]
    # moments are of squares, and none is negative
    for arrays in (*alone, *together):
        arrays[2] = abs(arrays[2])
    averaged = len(WEIGHTS) + len(BIASES)
    moments = [(first, second) if n < averaged else None for n, (_, first, second) in enumerate(together)]
    values = [value for value, *_ in together]
    table = AdamTable([UpdatedArrays(*each) for each in zip(values, gradients, moments, strict=True)])
    set_threads(threads)
    for number in (1, 2, 3):
        for n, gradient in enumerate(gradients):
            gradient[...] = random.standard_normal(gradient.shape)
            plain = options._replace(decay=0.0) if n >= len(WEIGHTS) else options
            if n < averaged:
                adam_step(AdamState(*alone[n]), gradient, plain, number)
            else:
                exponential_average(alone[n][0], gradient, 0.9)
        table.update(options, number, 0.9)
        for one_by_one, at_once in zip(alone, together, strict=True):
            np.testing.assert_array_equal(at_once, one_by_one)


def test_a_table_of_nothing_updates_nothing():
    AdamTable([]).update(AdamOptions(**OPTIONS, decay=0.0), 1, 0.9)


ODD = [np.zeros((4, 4), "float32").T[:, ::2], np.zeros((4, 2), "float64"), np.zeros((4, 1), "float32")]


@pytest.mark.parametrize("odd", ODD, ids=["strided", "another type", "another shape"])
def test_arrays_that_no_table_can_hold_are_refused(odd):
    """The kernel goes by addresses: it would write beside them."""
    even = np.zeros((4, 2), "float32")
    first = UpdatedArrays(np.zeros(2, "float32"), np.zeros(2, "float32"), None)
    for arrays in (UpdatedArrays(even, odd, None), UpdatedArrays(even, even, (even, odd))):
        with pytest.raises(ValueError, match=rf"of float32 \(4, 2\), one is {odd.dtype} .* with strides"):
            AdamTable([first, arrays])


def test_a_value_that_may_only_be_read_is_not_written():
    value, gradient = np.zeros((2, 3))
    value.flags.writeable = False
    with pytest.raises(ValueError, match=r"an array \(3,\) to be updated is read-only"):
        AdamTable([UpdatedArrays(value, gradient, None)])
    AdamTable([UpdatedArrays(gradient, value, None)])
