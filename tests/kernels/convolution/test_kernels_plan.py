"""Plans of blocks: shapes, padding, and what does not fit."""

import pytest
from mpmm_kernels.convolution import ConvolutionBlock, plan_block
from mpmm_kernels.convolution.plan import convolved_length

VALID, ONE = ("valid",) * 3, (1, 1, 1)


def plan(input_shape, kernel, *, stride=ONE, padding=VALID, pool="max", window=(2, 2, 2)):
    block = ConvolutionBlock(16, kernel, stride, padding, "relu", pool, window)
    return plan_block(input_shape, block, "float32", "reference")


def test_shapes_of_the_papers_first_block():
    block = plan((48, 25, 25, 1), (7, 3, 3))
    assert block.convolved_shape == (42, 23, 23, 16)
    assert block.output_shape == (21, 11, 11, 16)
    assert block.weights_shape == (7, 3, 3, 1, 16)
    assert block.before == (0, 0, 0)
    assert str(block) == "reference"


def test_padding_and_stride_are_per_axis():
    block = plan((3, 25, 24, 1), (3, 3, 4), stride=(1, 2, 1), padding=("same", "valid", "same"), pool=None)
    assert block.convolved_shape == (3, 12, 24, 16)
    assert block.before == (1, 0, 1)
    assert block.output_shape == block.convolved_shape


def test_plans_are_equal_by_their_shapes():
    assert plan((8, 6, 6, 2), ONE) == plan((8, 6, 6, 2), ONE)
    assert hash(plan((8, 6, 6, 2), ONE)) == hash(plan((8, 6, 6, 2), ONE))


@pytest.mark.parametrize("length", range(1, 12))
@pytest.mark.parametrize("kernel", range(1, 6))
@pytest.mark.parametrize("stride", range(1, 4))
def test_same_padding_keeps_the_length_and_splits_the_zeros(length, kernel, stride):
    outputs, before = convolved_length(length, kernel, stride, "same")
    zeros = max((outputs - 1) * stride + kernel - length, 0)
    assert outputs == -(-length // stride)
    assert 0 <= zeros - 2 * before <= 1


@pytest.mark.parametrize(
    ("input_shape", "kernel", "message"),
    [((5, 9, 9, 4), (7, 3, 3), r"kernel \(7, 3, 3\)"), ((7, 9, 9, 4), (7, 3, 3), r"pool \(2, 2, 2\)")],
)
def test_what_does_not_fit_is_refused(input_shape, kernel, message):
    with pytest.raises(ValueError, match=message):
        plan(input_shape, kernel)
