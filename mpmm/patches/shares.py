"""How many samples of a class each part of a split gets."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mpmm.errors import PatchError

PARTS = ("train", "validation", "test")


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


def apportion(count: int, shares: Sequence[float]) -> tuple[int, ...]:
    """Divide `count` samples by shares, in whole numbers that add up to it.

    Largest remainders, ties to the earlier part. Every part with a share gets at least one sample while there
    are enough; of too few, the earlier parts get one each.
    """
    wanted = [part for part, share in enumerate(shares) if share > 0]
    if count <= len(wanted):
        return tuple(int(part in wanted[:count]) for part in range(len(shares)))
    quotas = [share * count for share in shares]
    given = [math.floor(quota) for quota in quotas]
    by_remainder = sorted(wanted, key=lambda part: given[part] - quotas[part])
    for part in by_remainder[: count - sum(given)]:
        given[part] += 1
    for part in wanted:
        if given[part] == 0:
            given[given.index(max(given))] -= 1
            given[part] = 1
    return tuple(given)
