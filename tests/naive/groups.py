"""The tree over groups of samples by plain recursion: what sums over a batch must equal, to the bit."""

import numpy as np


def tree_sum(values, groups):
    """Sum of the samples' values (n, ...): samples of a group in order, groups as a balanced binary tree."""
    sums = []
    for group in range(groups):
        mine = values[group * len(values) // groups : (group + 1) * len(values) // groups]
        total = None
        for value in mine:
            total = value.copy() if total is None else total + value
        sums.append(total)
    return added(sums)


def added(sums):
    """Two halves, each added up; a half without samples is left out."""
    if len(sums) == 1:
        return sums[0]
    left, right = added(sums[: len(sums) // 2]), added(sums[len(sums) // 2 :])
    if left is None or right is None:
        return left if right is None else right
    return np.add(left, right)
