"""Area and accuracy by class, from a map and a probability sample of pixels whose true class is known.

Olofsson, Foody, Herold, Stehman, Woodcock, Wulder, "Good practices for estimating area and assessing accuracy
of land change", Remote Sensing of Environment 148, 2014, section 4: stratified estimators, the map's classes
are the strata. Pixels that a map counts are no estimate of area, for the map errs; the sample says how.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mpmm.errors import RunError

Counts = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

# the paper's, of the standard normal
_NORMAL_95 = 1.96


@dataclass(frozen=True)
class SampledShare:
    """A figure estimated from a sample, with its standard error; both None where it is not defined."""

    value: float | None
    error: float | None

    @property
    def half(self) -> float | None:
        """Half the width of the 95% interval."""
        return None if self.error is None else _NORMAL_95 * self.error

    @classmethod
    def of(cls, value: float, variance: float) -> Self:
        """From a value and its variance; not defined where the value is NaN."""
        known = not np.isnan(value)
        return cls(float(value), float(np.sqrt(max(variance, 0.0)))) if known else cls(None, None)


@dataclass(frozen=True)
class ClassArea:
    """A class's area and accuracy.

    Attributes
    ----------
    name
        Of the class.
    mapped
        Pixels that the map gives it.
    sampled, true
        Pixels of the sample that the map gives it, and that are of it.
    area
        Its share of the mapped ground, as the sample corrects it.
    users, producers
        Share of the ground mapped as the class that is of it; share of its ground that is mapped as it.
    """

    name: str
    mapped: int
    sampled: int
    true: int
    area: SampledShare
    users: SampledShare
    producers: SampledShare


@dataclass(frozen=True, eq=False)
class AreaEstimate:
    """What a map and a sample say together.

    Attributes
    ----------
    classes
        By position.
    confusion
        Pixels of the sample by [mapped class, true class].
    proportions
        The same as shares of the mapped ground; they add up to 1.
    overall
        Share of the ground that is mapped as what it is.
    pixels
        Pixels of the map that have a class.
    """

    classes: tuple[ClassArea, ...]
    confusion: Counts
    proportions: Doubles
    overall: SampledShare
    pixels: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON takes."""
        return {
            "pixels": self.pixels,
            "sample": int(self.confusion.sum()),
            "overall_accuracy": asdict(self.overall),
            "classes": [asdict(each) for each in self.classes],
            "confusion": self.confusion.tolist(),
            "proportions": self.proportions.tolist(),
        }


def estimate_areas(confusion: npt.ArrayLike, mapped: npt.ArrayLike, names: Sequence[str]) -> AreaEstimate:
    """Estimate area and accuracy of each class, with standard errors.

    Parameters
    ----------
    confusion
        Pixels of the sample by [mapped class, true class], shape (classes, classes).
    mapped
        Pixels that the map gives each class, shape (classes,).
    names
        Of the classes.

    Raises
    ------
    RunError
        The map holds a class of which the sample has fewer than two pixels: nothing is known of its errors.
    """
    counts, pixels = np.asarray(confusion, np.int64), np.asarray(mapped, np.int64)
    _check_sampled(counts, pixels, names)
    within = _ratio(counts, counts.sum(axis=1)[:, None], 0.0)
    strata = pixels / pixels.sum()
    proportions = strata[:, None] * within
    areas, hits = proportions.sum(axis=0), np.diag(proportions)
    users = np.where(pixels > 0, np.diag(within), np.nan)
    producers = _ratio(hits, areas, np.nan)
    # of the mean of a class's indicator in each stratum: equations 5 to 7 and 10 are sums of these
    spread = within * (1 - within) / np.maximum(counts.sum(axis=1) - 1, 1)[:, None]
    weighted = strata[:, None] ** 2 * spread
    of_users, of_hits = np.diag(spread), np.diag(weighted)
    others = weighted.sum(axis=0) - of_hits
    of_producers = _ratio((1 - producers) ** 2 * of_hits + producers**2 * others, areas**2, np.nan)
    classes = tuple(
        ClassArea(
            name,
            int(pixels[k]),
            int(counts[k].sum()),
            int(counts[:, k].sum()),
            SampledShare.of(areas[k], weighted[:, k].sum()),
            SampledShare.of(users[k], of_users[k]),
            SampledShare.of(producers[k], of_producers[k]),
        )
        for k, name in enumerate(names)
    )
    overall = SampledShare.of(hits.sum(), of_hits.sum())
    return AreaEstimate(classes, counts, proportions, overall, int(pixels.sum()))


def _ratio(above: npt.ArrayLike, below: npt.ArrayLike, otherwise: float) -> Doubles:
    """Divide where the divisor is not zero."""
    top, bottom = np.broadcast_arrays(np.asarray(above, float), np.asarray(below, float))
    quotient: Doubles = np.divide(top, bottom, out=np.full(top.shape, otherwise), where=bottom > 0)
    return quotient


def _check_sampled(confusion: Counts, mapped: Counts, names: Sequence[str]) -> None:
    """Refuse a stratum without a variance."""
    for name, pixels, sampled in zip(names, mapped, confusion.sum(axis=1), strict=True):
        if pixels and sampled < 2:
            raise RunError(
                f"{sampled} pixels of the sample lie where the map says {name}, "
                f"which it says of {100 * pixels / mapped.sum():.2f}% of its pixels",
                "sample two or more of every class that the map holds",
            )
