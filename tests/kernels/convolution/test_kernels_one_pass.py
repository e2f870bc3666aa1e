"""Both gradients of kernels of one pixel in one pass, against those made one after the other."""

import numpy as np
import pytest
from block_cases import ONE_PIXEL, each, make
from mpmm_kernels.convolution import Gradients, Operands, block
from mpmm_kernels.convolution.indirect import method

# groups of one sample and of two
SAMPLES = 21


def gradients(case, samples, passes):
    """dx, dw and db of random operands, by one pass or by two."""
    plan, x, w, b, dy = make("indirect", case, "float32", samples)
    buffers, operands = block.allocate(plan, samples), Operands(x, w, b)
    dw, db = np.full_like(w, np.nan), np.full_like(b, np.nan)
    block.forward(plan, buffers, operands)
    assert method.suits_one_pass(method.core(plan)) == (passes == 1)
    dx = block.backward(plan, buffers, operands, Gradients.of_batch(dy, dw, db), True)
    return dx.copy(), dw, db


@pytest.mark.parametrize("samples", [SAMPLES, 1])
@each(ONE_PIXEL)
def test_one_pass_has_the_bits_of_two(name, samples, monkeypatch):
    once = gradients(ONE_PIXEL[name], samples, 1)
    monkeypatch.setattr(method, "suits_one_pass", lambda plan: False)
    twice = gradients(ONE_PIXEL[name], samples, 2)
    assert all(np.isfinite(array).all() for array in twice)
    for array, other in zip(once, twice, strict=True):
        np.testing.assert_array_equal(array, other)


def test_a_pool_by_argmax_takes_two_passes():
    case = ((4, 6, 6, 16), 16, (1, 1, 1), (1, 1, 1), ("valid",) * 3, "relu", "max", (2, 2, 1))
    gradients(case, SAMPLES, 2)
