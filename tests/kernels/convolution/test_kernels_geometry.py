"""Extents that all methods of convolution share."""

import pytest
from mpmm_kernels.convolution.shared.geometry import even_part


@pytest.mark.parametrize(("count", "most", "part"), [(10, 4, 4), (9, 8, 5), (8, 8, 8), (7, 20, 7), (5, 1, 1)])
def test_parts_are_few_and_even(count, most, part):
    assert even_part(count, most) == part


def test_a_part_is_at_least_one():
    assert even_part(3, 0) == 1
