"""Scores of a classification: confusion matrix, accuracies, kappa, per-class scores with 95% intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mpmm.errors import RunError

# the standard normal's 97.5% point: two-sided 95%
NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """A score and its 95% interval; all None where the score is not defined (nothing was counted).

    The intervals take the samples as independent. Patches of one scene are not (they overlap, and
    neighbours are alike), so read them as the least uncertainty there is.
    """

    value: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.value is None:
            return "-"
        return f"{100 * self.value:.1f} [{100 * (self.low or 0):.1f}, {100 * (self.high or 0):.1f}]"


@dataclass(frozen=True)
class ClassScores:
    """Scores of one class.

    Precision is the share of the samples given this class that are of it, recall the share of this class's
    samples that were found, F1 their harmonic mean. A class that was never predicted has no precision, one
    without samples no recall, one with neither no F1: these are None, not 0.
    """

    name: str
    samples: int
    predicted: int
    precision: Estimate
    recall: Estimate
    f1: Estimate


@dataclass(frozen=True)
class Scores:
    """All scores that follow from one confusion matrix.

    Attributes
    ----------
    classes
        Class names by position.
    confusion
        Counts by [true class][predicted class].
    overall_accuracy
        Share of samples classified rightly, with Wilson's interval.
    average_accuracy
        Mean of the recalls of the classes that have samples; None without any.
    kappa
        Cohen's kappa, agreement beyond chance; None where chance alone already agrees fully.
    per_class
        Scores of each class, by position.
    """

    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    overall_accuracy: Estimate
    average_accuracy: float | None
    kappa: float | None
    per_class: tuple[ClassScores, ...]

    @property
    def samples(self) -> int:
        """Number of samples that were scored."""
        return sum(sum(row) for row in self.confusion)

    @classmethod
    def from_confusion(cls, confusion: npt.ArrayLike, classes: Sequence[str]) -> Self:
        """Compute every score from counts by [true class, predicted class], shape (classes, classes).

        Raises
        ------
        RunError
            The matrix is not square, not of the classes' number, or holds anything but counts.
        """
        matrix = _checked(np.asarray(confusion), len(classes))
        return cls(
            classes=tuple(classes),
            confusion=tuple(tuple(int(count) for count in row) for row in matrix),
            overall_accuracy=proportion(int(np.trace(matrix)), int(matrix.sum())),
            average_accuracy=_average_accuracy(matrix),
            kappa=_kappa(matrix),
            per_class=tuple(_class_scores(matrix, k, name) for k, name in enumerate(classes)),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON takes; :meth:`from_dict` restores them."""
        per_class = {
            each.name: {
                "samples": each.samples,
                "predicted": each.predicted,
                "precision": _triple(each.precision),
                "recall": _triple(each.recall),
                "f1": _triple(each.f1),
            }
            for each in self.per_class
        }
        return {
            "classes": list(self.classes),
            "confusion": [list(row) for row in self.confusion],
            "samples": self.samples,
            "overall_accuracy": _triple(self.overall_accuracy),
            "average_accuracy": self.average_accuracy,
            "kappa": self.kappa,
            "per_class": per_class,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Restore scores from :meth:`to_dict`; everything follows from the confusion matrix."""
        missing = {"classes", "confusion"} - set(plain)
        if missing:
            raise RunError(f"scores without {', '.join(sorted(missing))}", "evaluate the run again")
        return cls.from_confusion(plain["confusion"], plain["classes"])


def score(truth: npt.ArrayLike, predicted: npt.ArrayLike, classes: Sequence[str]) -> Scores:
    """Score the predicted classes of samples against their true classes.

    Parameters
    ----------
    truth, predicted
        Class positions (0-based, in the order of `classes`), shape (samples,).
    classes
        Names of the classes, in the order of their positions.

    Raises
    ------
    RunError
        The two differ in length, or hold anything but positions in `classes`.
    """
    return Scores.from_confusion(confusion_matrix(truth, predicted, len(classes)), classes)


def confusion_matrix(truth: npt.ArrayLike, predicted: npt.ArrayLike, classes: int) -> npt.NDArray[np.int64]:
    """Count samples by [true class, predicted class], shape (classes, classes)."""
    rows, columns = np.asarray(truth), np.asarray(predicted)
    if rows.shape != columns.shape or rows.ndim != 1:
        raise RunError(
            f"true classes of shape {rows.shape}, predicted of shape {columns.shape}",
            "both are one class position a sample",
        )
    for name, positions in (("true", rows), ("predicted", columns)):
        _check_positions(name, positions, classes)
    flat = rows.astype(np.int64) * classes + columns.astype(np.int64)
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes)


def proportion(hits: int, trials: int) -> Estimate:
    """Estimate a proportion with Wilson's score interval.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference,
    J. Am. Stat. Assoc. 22 (1927) 209-212. It stays within [0, 1] and holds its level for few samples and for
    proportions near 0 or 1, where the usual normal interval does not.
    """
    if trials == 0:
        return Estimate(None, None, None)
    share, z2 = hits / trials, NORMAL_95 * NORMAL_95
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = NORMAL_95 / (1 + z2 / trials) * math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    # at 0 and 1 the bound equals the share exactly; rounding may miss it by one unit
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    high = 1.0 if hits == trials else min(1.0, middle + half)
    return Estimate(share, low, high)


def f1(hits: int, false_alarms: int, misses: int) -> Estimate:
    """Estimate F1 = 2 TP / (2 TP + FP + FN) with a 95% interval.

    F* = TP / (TP + FP + FN) is a proportion: given the number of samples that are of the class or were
    called it, TP is binomial. F1 = 2 F* / (1 + F*) rises with F*, so Wilson's interval of F* carries over,
    end by end.
    Source of F*: D. J. Hand, P. Christen, N. Kirielle, F*: an interpretable transformation of the F-measure,
    Machine Learning 110 (2021) 451-456.
    """
    star = proportion(hits, hits + false_alarms + misses)
    if star.value is None or star.low is None or star.high is None:
        return star
    return Estimate(*(2 * x / (1 + x) for x in (star.value, star.low, star.high)))


def _class_scores(matrix: npt.NDArray[np.int64], k: int, name: str) -> ClassScores:
    hits, samples, predicted = int(matrix[k, k]), int(matrix[k].sum()), int(matrix[:, k].sum())
    return ClassScores(
        name=name,
        samples=samples,
        predicted=predicted,
        precision=proportion(hits, predicted),
        recall=proportion(hits, samples),
        f1=f1(hits, predicted - hits, samples - hits),
    )


def _average_accuracy(matrix: npt.NDArray[np.int64]) -> float | None:
    samples = matrix.sum(axis=1)
    seen = samples > 0
    return float(np.mean(np.diag(matrix)[seen] / samples[seen])) if seen.any() else None


def _kappa(matrix: npt.NDArray[np.int64]) -> float | None:
    """Cohen's kappa, (p_o - p_e) / (1 - p_e); J. Cohen, Educ. Psychol. Meas. 20 (1960) 37-46."""
    # in whole numbers, so that "chance agrees fully" is decided exactly
    total = int(matrix.sum())
    chance = sum(int(a) * int(b) for a, b in zip(matrix.sum(axis=1), matrix.sum(axis=0), strict=True))
    if total * total == chance:
        return None
    return (total * int(np.trace(matrix)) - chance) / (total * total - chance)


def _triple(estimate: Estimate) -> list[float | None]:
    return [estimate.value, estimate.low, estimate.high]


def _checked(matrix: npt.NDArray[Any], classes: int) -> npt.NDArray[np.int64]:
    if matrix.shape != (classes, classes):
        raise RunError(
            f"confusion matrix of shape {matrix.shape} for {classes} classes", "evaluate the run again"
        )
    if matrix.size and (matrix.dtype.kind not in "iu" or matrix.min() < 0):
        raise RunError("confusion matrix holds values that are no counts", "evaluate the run again")
    return matrix.astype(np.int64)


def _check_positions(name: str, positions: npt.NDArray[Any], classes: int) -> None:
    if not positions.size:
        return
    low, high = positions.min(), positions.max()
    if positions.dtype.kind not in "iu" or low < 0 or high >= classes:
        raise RunError(
            f"{name} classes reach from {low} to {high} ({positions.dtype}), there are {classes} classes",
            f"give whole positions from 0 to {classes - 1}, not class ids",
        )
