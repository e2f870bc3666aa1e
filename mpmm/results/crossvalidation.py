"""What the folds of a cross-validation say together: mean, deviation, and pairs of methods fold by fold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mpmm.results.scores import Scores


@dataclass(frozen=True)
class FoldSpread:
    """Mean and standard deviation of a figure over the folds; None where a fold has no such figure."""

    mean: float | None
    deviation: float | None

    @classmethod
    def of(cls, values: Sequence[float | None]) -> FoldSpread:
        """Of one value a fold, at least two."""
        known = [value for value in values if value is not None]
        if len(known) < len(values) or len(known) < 2:
            return cls(None, None)
        return cls(float(np.mean(known)), float(np.std(known, ddof=1)))


@dataclass(frozen=True)
class Paired:
    """How far a method is ahead of another in overall accuracy, fold by fold.

    Attributes
    ----------
    ahead
        Mean and deviation of the difference.
    low, high
        Its 95% interval.
    wins
        Folds on which it is ahead.
    """

    ahead: FoldSpread
    low: float
    high: float
    wins: int


def paired(ours: Sequence[Scores], theirs: Sequence[Scores], held_out: float) -> Paired:
    """Compare two methods that were scored on the same folds.

    The folds' training parts overlap, so that differences are not independent: their variance is corrected
    by the numbers of test and training patches. Nadeau and Bengio, "Inference for the Generalization Error",
    Machine Learning 52, 2003, section 3.

    Parameters
    ----------
    ours, theirs
        Scores of either, one a fold.
    held_out
        Test patches in one training patch, on average.
    """
    # takes a while to import, which nothing else of this room needs
    from scipy.special import stdtrit

    differences = np.array([_overall(a) - _overall(b) for a, b in zip(ours, theirs, strict=True)])
    folds = len(differences)
    mean, deviation = float(differences.mean()), float(differences.std(ddof=1))
    half = float(stdtrit(folds - 1, 0.975)) * math.sqrt(1 / folds + held_out) * deviation
    return Paired(FoldSpread(mean, deviation), mean - half, mean + half, int((differences > 0).sum()))


def crossvalidation(
    scores: Mapping[str, Sequence[Scores]], held_out: float, ours: str = "mpmm"
) -> dict[str, Any]:
    """What `crossvalidation.json` holds: by method the spread of each figure, all folds, and the pairs.

    Parameters
    ----------
    scores
        By method, one a fold.
    held_out
        Test patches in one training patch, on average.
    ours
        The method whose lead over each other is told.
    """
    return {
        method: {
            "overall_accuracy": _plain(FoldSpread.of([each.overall_accuracy.value for each in folds])),
            "average_accuracy": _plain(FoldSpread.of([each.average_accuracy for each in folds])),
            "kappa": _plain(FoldSpread.of([each.kappa for each in folds])),
            "folds": [each.to_dict() for each in folds],
            **({} if method == ours else {"lead": _pair(paired(scores[ours], folds, held_out))}),
        }
        for method, folds in scores.items()
    }


def together(folds: Sequence[Scores]) -> Scores:
    """The patches of all folds counted together: each was tested once."""
    return Scores.from_confusion(np.sum([each.confusion for each in folds], axis=0), folds[0].classes)


def _overall(scores: Scores) -> float:
    assert scores.overall_accuracy.value is not None, "a test part has patches"
    return scores.overall_accuracy.value


def _plain(spread: FoldSpread) -> dict[str, float | None]:
    return {"mean": spread.mean, "deviation": spread.deviation}


def _pair(pair: Paired) -> dict[str, Any]:
    return {**_plain(pair.ahead), "low": pair.low, "high": pair.high, "wins": pair.wins}
