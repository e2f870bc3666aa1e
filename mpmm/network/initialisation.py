"""Initial parameters: drawn by (seed, parameter name) alone, whatever else is built and in whatever order."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np

from mpmm.network.parameter import Array
from mpmm.network.vocabulary import Start


@dataclass(frozen=True)
class Initializer:
    """Draws the initial values of a network's parameters.

    Attributes
    ----------
    seed
        Decides the values together with each parameter's name.
    dtype
        "float32" or "float64"; it only rounds the values.
    start
        Which variance weights have: "fan_in", "glorot" or "he".
    """

    seed: int
    dtype: str
    start: Start = "fan_in"

    def weights(self, name: str, shape: tuple[int, ...], fan_in: int, fan_out: int, activation: str) -> Array:
        """Weights of the start's variance, drawn uniformly.

        "he": 2 / fan_in before a ReLU, elsewhere as "glorot". "glorot": 2 / (fan_in + fan_out).
        "fan_in": 1 / (3 fan_in).

        Parameters
        ----------
        name
            The parameter's name, unique in the network.
        shape
            Shape of the weights.
        fan_in, fan_out
            Inputs an output is summed from, and outputs an input goes to.
        activation
            What follows the layer: "relu", "sigmoid" or "none".

        References
        ----------
        "he": He et al., "Delving Deep into Rectifiers", ICCV 2015, eq. 10. "glorot": Glorot and Bengio,
        "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010, eq. 16;
        Keras's default. "fan_in": LeCun et al., "Efficient BackProp", 1998, section 4.6, with a third of its
        variance; what torch.nn.Linear and Conv3d start from. A uniform distribution on [-a, a] has the
        variance a^2 / 3.
        """
        limit = math.sqrt(3.0 * self._variance(fan_in, fan_out, activation))
        drawn = _generator(self.seed, name).random(shape)
        return ((2.0 * drawn - 1.0) * limit).astype(self.dtype)

    def _variance(self, fan_in: int, fan_out: int, activation: str) -> float:
        if self.start == "fan_in":
            return 1.0 / (3.0 * fan_in)
        if self.start == "he" and activation == "relu":
            return 2.0 / fan_in
        return 2.0 / (fan_in + fan_out)

    def zeros(self, length: int) -> Array:
        """Initial biases: zeros, of shape (length,)."""
        return np.zeros(length, self.dtype)


class Undrawn(Initializer):
    """Gives zeros, for a network that is only looked at: memory that nobody touches."""

    def weights(self, name: str, shape: tuple[int, ...], fan_in: int, fan_out: int, activation: str) -> Array:
        """Zeros of the weights' shape."""
        return np.zeros(shape, self.dtype)


def _generator(seed: int, name: str) -> np.random.Generator:
    """A stream of random numbers of its own for each (seed, name)."""
    digest = hashlib.sha256(name.encode()).digest()
    words = np.frombuffer(digest, dtype="<u4").tolist()
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words])))
