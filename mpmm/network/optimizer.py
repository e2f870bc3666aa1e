"""Adam, and the exponential average of running statistics; the same for one process and a server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from mpmm_kernels import layers as kernel
from mpmm_kernels.layers import AdamOptions, AdamState, adam_step, exponential_average

from mpmm.errors import NetworkError
from mpmm.network.parameter import Array, Parameter
from mpmm.network.rates import Rates
from mpmm.network.state import check_state

if TYPE_CHECKING:
    from mpmm_kernels.layers import UpdatedArrays

# the two moments by the names they have in a state
ORDERS = ("first", "second")


class Adam:
    """Moves parameters along their gradients; keeps the two moments of each by its name.

    Parameters
    ----------
    rate
        Learning rate: the length of a step in units of the normalised gradient; or one for every step.
    beta1, beta2
        How much of the first and second moment is kept each step.
    epsilon
        Added to the root of the second moment.
    decay
        Decoupled weight decay, for weights only: biases and batch-norm's gamma and beta are left alone.
    average
        How much of a running statistic (``trainable=False``) is kept each step.

    References
    ----------
    Kingma and Ba, "Adam", ICLR 2015, algorithm 1; decay: Loshchilov and Hutter, "Decoupled Weight Decay
    Regularization", ICLR 2019, algorithm 2.
    """

    def __init__(
        self,
        rate: float | Rates = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        decay: float = 0.0,
        average: float = 0.9,
    ) -> None:
        self.rates = rate if isinstance(rate, Rates) else Rates(rate)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.decay = decay
        self.average = average
        self._moments: dict[str, tuple[Array, Array]] = {}
        self._together: _Together | None = None

    def update(self, parameter: Parameter, step: int) -> None:
        """Move one parameter in place by its gradient; ``step`` counts the updates from 1."""
        if not parameter.trainable:
            exponential_average(parameter.value, parameter.gradient, self.average)
            return
        state = parameter.value, *self.moments(parameter)
        self.move(state, parameter.gradient, step, decayed=parameter.value.ndim > 1)

    def update_all(self, parameters: Iterable[Parameter], step: int) -> None:
        """Update several parameters in one pass, with the same bits; ``step`` counts from 1.

        Raises
        ------
        NetworkError
            A value or a gradient is not contiguous, of another dtype than the first, or of another shape
            than its own; or a value is read-only.
        """
        updated = list(parameters)
        if self._together is None or not self._together.is_of(updated):
            self._together = _Together([self._arrays_of(parameter) for parameter in updated])
        self._together.table.update(self._options(step), step, self.average)

    def _arrays_of(self, parameter: Parameter) -> UpdatedArrays:
        moments = self.moments(parameter) if parameter.trainable else None
        return kernel.UpdatedArrays(parameter.value, parameter.gradient, moments)

    def _options(self, step: int, drops: int = 0) -> AdamOptions:
        return AdamOptions(self.rates.at(step - 1, drops), self.beta1, self.beta2, self.epsilon, self.decay)

    def move(
        self,
        state: tuple[Array, Array, Array],
        gradient: Array,
        step: int,
        *,
        decayed: bool,
        drops: int = 0,
        into: tuple[Array, Array, Array] | None = None,
    ) -> None:
        """Move values with their first and second moments, in place or ``into`` other arrays.

        ``step`` counts the updates from 1; ``drops`` are those of the learning rate so far.
        """
        options = self._options(step, drops)
        options = options if decayed else options._replace(decay=0.0)
        adam_step(AdamState(*state), gradient, options, step, into)

    def state(self) -> dict[str, Array]:
        """A copy of all moments, as ``first.<parameter>`` and ``second.<parameter>``, in name order."""
        moments = {
            f"{order}.{name}": moment
            for name, pair in self._moments.items()
            for order, moment in zip(ORDERS, pair, strict=True)
        }
        return {name: moments[name].copy() for name in sorted(moments)}

    def load_state(self, values: Mapping[str, Array], parameters: Mapping[str, Parameter]) -> None:
        """Take over moments that ``state`` gave, for these parameters; none at all means a fresh start.

        Raises
        ------
        NetworkError
            A moment is missing, unexpected, or of another shape; nothing is changed then.
        """
        trained = {name: parameter.value for name, parameter in parameters.items() if parameter.trainable}
        expected = {f"{order}.{name}": trained[name] for order in ORDERS for name in trained}
        if values:
            check_state(expected, values, "moment")
        self._moments = {
            name: (_copy(values[f"first.{name}"], like), _copy(values[f"second.{name}"], like))
            for name, like in trained.items()
            if values
        }
        self._together = None

    def moments(self, parameter: Parameter) -> tuple[Array, Array]:
        """A trained parameter's two moments themselves, no copies; zeros before its first update."""
        pair = self._moments.get(parameter.name)
        if pair is None:
            pair = np.zeros_like(parameter.value), np.zeros_like(parameter.value)
            self._moments[parameter.name] = pair
        if pair[0].shape != parameter.value.shape:
            raise NetworkError(
                f"moment {parameter.name} has shape {pair[0].shape}, expected {parameter.value.shape}",
                "take the checkpoint of this network",
            )
        return pair


class _Together:
    """Parameters that are updated in one pass, and the arrays that they had when their table was made."""

    def __init__(self, arrays: Sequence[UpdatedArrays]) -> None:
        self._arrays = arrays
        try:
            self.table = kernel.AdamTable(arrays)
        except ValueError as error:
            raise NetworkError(str(error), "update such parameters one by one") from error

    def is_of(self, parameters: Sequence[Parameter]) -> bool:
        """Whether these are the same parameters, with the same arrays."""
        if len(parameters) != len(self._arrays):
            return False
        # a loop of its own: a generator's takes three times as long
        for parameter, (value, gradient, moments) in zip(parameters, self._arrays, strict=True):
            if parameter.value is not value or parameter.gradient is not gradient:
                return False
            if parameter.trainable is not (moments is not None):
                return False
        return True


def _copy(values: Array, like: Array) -> Array:
    return np.array(values, dtype=like.dtype, order="C")
