"""Initial parameters: drawn by (seed, parameter name) alone, whatever else is built and in whatever order."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np

from mpmm.network.parameter import Array


@dataclass(frozen=True)
class Initializer:
    """Draws the initial values of a network's parameters.

    Attributes
    ----------
    seed
        Decides the values together with each parameter's name.
    dtype
        "float32" or "float64"; it only rounds the values.
    """

    seed: int
    dtype: str

    def weights(self, name: str, shape: tuple[int, ...], fan_in: int, fan_out: int, activation: str) -> Array:
        """Weights of variance 2 / fan_in before a ReLU, 2 / (fan_in + fan_out) elsewhere, drawn uniformly.

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
        He et al., "Delving Deep into Rectifiers", ICCV 2015, eq. 10 (ReLU);
        Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
        AISTATS 2010, eq. 16 (elsewhere). A uniform distribution on [-a, a] has the variance a^2 / 3.
        """
        variance = 2.0 / fan_in if activation == "relu" else 2.0 / (fan_in + fan_out)
        limit = math.sqrt(3.0 * variance)
        drawn = _generator(self.seed, name).random(shape)
        return ((2.0 * drawn - 1.0) * limit).astype(self.dtype)

    def zeros(self, length: int) -> Array:
        """Initial biases: zeros, of shape (length,)."""
        return np.zeros(length, self.dtype)


def _generator(seed: int, name: str) -> np.random.Generator:
    """A stream of random numbers of its own for each (seed, name)."""
    digest = hashlib.sha256(name.encode()).digest()
    words = np.frombuffer(digest, dtype="<u4").tolist()
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *words])))
