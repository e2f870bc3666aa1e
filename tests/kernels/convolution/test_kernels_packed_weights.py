"""Weights where kernels read them: filters in parts of whole vectors, and turned for the input's gradient."""

import numpy as np
import pytest
from mpmm_kernels.convolution.shared.weights import flip, packed
from mpmm_kernels.vector import lanes

# filters that fill their parts and do not; more terms than a thread takes at a time
PARTS = [((2, 1, 2, 3, 5), 8), ((5, 5, 5, 1, 40), 16), ((1, 1, 1, 200, 48), 32), ((1, 1, 1, 4, 4), 4)]
KERNELS = [(2, 3, 2, 3, 5), (3, 1, 1, 32, 48), (1, 1, 1, 20, 16), (7, 1, 1, 1, 24), (97, 1, 1, 24, 128)]


def drawn(shape, dtype):
    return np.random.default_rng(3).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("shape", "span"), PARTS)
def test_filters_are_in_parts_and_leave_alone_what_fills_up(shape, span, dtype):
    w, terms = drawn(shape, dtype), int(np.prod(shape[:4]))
    parts = -(-shape[4] // span)
    room = np.full((parts, terms, span), np.nan, dtype)
    made = packed(w, room, span).reshape(parts, terms, span)
    for part in range(parts):
        own = w.reshape(terms, -1)[:, part * span : (part + 1) * span]
        np.testing.assert_array_equal(made[part, :, : own.shape[1]], own)
        assert np.isnan(made[part, :, own.shape[1] :]).all()


def test_weights_that_lie_as_kernels_read_them_are_no_copy():
    w = drawn((2, 1, 1, 3, 16), "float32")
    assert np.shares_memory(packed(w, np.zeros_like(w), 16), w)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", KERNELS)
def test_the_flipped_kernel_leads_from_filters_to_channels(shape, dtype):
    w, (channels, filters) = drawn(shape, dtype), shape[3:]
    whole = lanes(dtype)
    room = np.full((*shape[:3], -(-filters // whole) * whole, -(-channels // whole) * whole), np.nan, dtype)
    flip(w, room)
    expected = w[::-1, ::-1, ::-1].swapaxes(3, 4)
    np.testing.assert_array_equal(room[..., :filters, :channels], expected)
    assert np.isnan(room[..., filters:, :]).all()
    assert np.isnan(room[..., channels:]).all()
