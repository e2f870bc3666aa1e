"""How many samples of a class each part of a split gets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

from mpmm.errors import PatchError

# the parts of a split, in the order in which shares are given
Part = Literal["train", "validation", "test"]
PARTS: tuple[str, ...] = get_args(Part)


def check_shares(shares: Sequence[float]) -> None:
    """Refuse shares that are not three, not positive where they must be, or do not add up to 1."""
    if len(shares) != len(PARTS) or min(shares) < 0 or not math.isclose(sum(shares), 1, abs_tol=1e-6):
        listed = ", ".join(f"{share:g}" for share in shares)
        raise PatchError(
            f"patches: shares {listed} add up to {sum(shares):g}",
            "give three shares for training, validation and test, none negative, that add up to 1",
        )
    if shares[0] == 0:
        raise PatchError("patches: the training share is 0", "give training a share above 0")


def check_fold(folds: int, fold: int) -> None:
    """Refuse fewer folds than parts, and a fold that is none of them."""
    if folds < len(PARTS):
        raise PatchError(f"patches: {folds} folds", "use 3 or more: one for test, one for validation, a rest")
    if not 1 <= fold <= folds:
        raise PatchError(f"patches: fold {fold} of {folds}", f"folds are counted from 1 to {folds}")


def apportion(count: int, shares: Sequence[float]) -> tuple[int, ...]:
    """Divide `count` samples by shares, in whole numbers that add up to it.

    Largest remainders, ties to the earlier part. Every part with a share gets at least one sample while there
    are enough; of too few, the earlier parts get one each.
    """
    open_parts = [part for part, share in enumerate(shares) if share > 0]
    if count <= len(open_parts):
        return tuple(int(part in open_parts[:count]) for part in range(len(shares)))
    quotas = [share * count for share in shares]
    given = [math.floor(quota) for quota in quotas]
    by_remainder = sorted(open_parts, key=lambda part: given[part] - quotas[part])
    for part in by_remainder[: count - sum(given)]:
        given[part] += 1
    for part in open_parts:
        if given[part] == 0:
            given[given.index(max(given))] -= 1
            given[part] = 1
    return tuple(given)
