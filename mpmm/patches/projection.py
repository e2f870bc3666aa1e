"""A projection of bands onto axes: the principal components that stand for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from mpmm_kernels.arrays import read_only
from mpmm_kernels.patches import project_pixels
from mpmm_kernels.runtime import compile_once

from mpmm.errors import PatchError

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Projection:
    """Each pixel's bands become their components: the sum over the bands of (value - mean) times an axis.

    Attributes
    ----------
    mean
        Of each band, over the training patches.
    axes
        By component, a number for each band; unit vectors at right angles, the largest variance first.
    variances
        By component, what the training patches vary along its axis; and of all axes together, the last.
    """

    mean: tuple[float, ...]
    axes: tuple[tuple[float, ...], ...]
    variances: tuple[float, ...]

    def __post_init__(self) -> None:
        numbers = np.array([*self.mean, *(number for axis in self.axes for number in axis)])
        lengths = {len(axis) for axis in self.axes}
        if lengths != {len(self.mean)} or not np.isfinite(numbers).all():
            raise PatchError(
                f"components of {len(self.mean)} bands with axes of {sorted(lengths)}, not all usable",
                "give each component a finite number for each band",
            )

    @property
    def components(self) -> int:
        """How many there are."""
        return len(self.axes)

    @property
    def explained(self) -> float:
        """Share of the training patches' variance that the components keep, from 0 to 1."""
        return sum(self.variances[:-1]) / self.variances[-1] if self.variances[-1] else 1.0

    def apply(self, values: Values) -> Values:
        """Components of pixels, (..., bands) to (..., components); of a pixel the same bits in any array."""
        projected = np.empty((*values.shape[:-1], self.components), np.float32)
        self.fill(values, projected)
        return projected

    def fill(self, values: Values, projected: Values) -> None:
        """Put the components of pixels, (..., bands), into an array of theirs, (..., components)."""
        pixels = read_only(values).reshape(-1, len(self.mean))
        axes = np.ascontiguousarray(np.array(self.axes).T)
        into = projected.view(np.ndarray).reshape(-1, self.components)
        with compile_once("project float32"):
            project_pixels(pixels, np.array(self.mean), axes, np.empty(self.components), into)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON takes and gives back to the bit."""
        axes = [list(axis) for axis in self.axes]
        return {"mean": list(self.mean), "axes": axes, "variances": list(self.variances)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Restore principal components from what :meth:`to_dict` gave."""
        axes = tuple(tuple(map(float, axis)) for axis in plain["axes"])
        return cls(tuple(map(float, plain["mean"])), axes, tuple(map(float, plain["variances"])))
