"""The search for a dealing of blocks counts as one would by hand, and ends where no block's move helps."""

import numpy as np
import pytest

from mpmm.patches import SplitOptions, usable_centres
from mpmm.patches.candidates import find_candidates
from mpmm.patches.dealing import ABSENT, deal_blocks

# of parts, one of them empty, and of folds
SHARES = [(0.6, 0.2, 0.2), (0.7, 0.3, 0.0), (0.25,) * 4]


def scarce(seed):
    """Candidates of fields of five classes that no dealing gives enough of, patches of five pixels."""
    rng = np.random.default_rng(seed)
    labels = np.kron(rng.integers(0, 6, (9, 11)), np.ones((6, 6), int)).astype(np.int16)
    usable = usable_centres([np.ones(labels.shape, bool)], 5)
    return find_candidates(labels, usable, range(1, 6), ())


def counted(candidates, dealing, dealt, quotas, absent):
    """The penalty where blocks are dealt so, counted patch by patch."""
    parts = dealt[dealing.grid.touched(dealing.grid.footprint(candidates))]
    inside = (parts == parts[:, :1]).all(axis=1)
    left = np.zeros(quotas.shape, int)
    np.add.at(left, (candidates.labels[inside], parts[inside, 0]), 1)
    short = 1000 * np.maximum(quotas - left, 0) // np.maximum(quotas, 1)
    return (short**2).sum() + (absent * ((left == 0) & (quotas > 0))).sum()


@pytest.mark.parametrize("shares", SHARES, ids=["parts", "two parts", "folds"])
@pytest.mark.parametrize("seed", range(2))
def test_the_penalty_is_counted_right_and_no_single_move_lessens_it(seed, shares):
    candidates, absent = scarce(seed), np.resize(ABSENT, len(shares))
    options = SplitOptions(size=5, per_class=10_000, kind="block", seed=seed)
    _, quotas = options.apportioned(candidates.counts(), shares)
    dealing = deal_blocks(candidates, quotas, 5, shares, seed, absent)
    assert dealing.penalty == counted(candidates, dealing, dealing.dealt, quotas, absent) > 0
    for block in range(dealing.grid.count):
        for part in (part for part, share in enumerate(shares) if share > 0):
            moved = dealing.dealt.copy()
            moved[block] = part
            assert counted(candidates, dealing, moved, quotas, absent) >= dealing.penalty
