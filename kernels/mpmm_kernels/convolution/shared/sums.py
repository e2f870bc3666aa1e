"""Gradients of weights and bias: a row for each group of samples, then what the rows add up to."""

from mpmm_kernels.arrays import Floats, add_groups
from mpmm_kernels.convolution.operands import Gradients
from mpmm_kernels.convolution.shared.arguments import WeightSums
from mpmm_kernels.groups import GroupTree


def rows_of_groups(weight_sums: Floats, bias_sums: Floats, tree: GroupTree) -> WeightSums:
    """The rows of the groups that have samples."""
    groups = len(tree.merges)
    return WeightSums(dw=weight_sums[:groups], db=bias_sums[:groups])


def add_up_bias(sums: WeightSums, gradients: Gradients) -> None:
    """Add up the bias's rows, and leave out the filters that only fill up vectors."""
    add_groups(sums.db, gradients.tree.merges)
    for row, db in zip(gradients.tree.rows, gradients.db, strict=True):
        db[...] = sums.db[row, : len(db)]
