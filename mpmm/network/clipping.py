"""The norm of all gradients of a step together, and the factor that keeps it below a bound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mpmm.network.parameter import Array

Doubles = npt.NDArray[np.float64]

# keeps the factor finite where all gradients are zero, as PyTorch's does
SMALLEST = 1e-6


def sum_of_squares(gradient: Array) -> float:
    """Sum of a gradient's squares in float64, whatever its own type; the same bits on any processor."""
    return float(np.square(gradient, dtype=np.float64).sum())


def norm_of(squares: Sequence[Doubles]) -> float:
    """Root of all sums of squares together, added in the order given."""
    return float(np.sqrt(np.concatenate(squares).sum()))


def clip_factor(norm: float, bound: float) -> float:
    """What all gradients are multiplied with, so that their norm is at most ``bound``; 1 where it is less.

    bound / (norm + 1e-6), as in PyTorch's ``torch.nn.utils.clip_grad_norm_``.

    References
    ----------
    Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", ICML 2013,
    algorithm 1.
    """
    return min(bound / (norm + SMALLEST), 1.0)
