"""A few blocks of the campaign, so that it stays runnable; and that it sees what is wrong."""

import numpy as np
import pytest
from campaigns import blocks
from mpmm_kernels.convolution.methods import METHODS

# of three methods, all but one of whose kernels tests of blocks compile as well
FAMILY = blocks.Family(32, 16, (4, 5, 5), (1, 1, 1), "float32", reaches=((1, 3, 3),))


def test_a_few_random_blocks_are_right():
    counts, wrong = blocks.campaign(6, 60, seed=1, families=[FAMILY])
    assert wrong == []
    assert counts["blocks"] == counts["winograd"] == 6 > counts["near ties"]
    assert counts.keys() > {"direct", "indirect"}


def test_families_are_drawn_for_every_method():
    drawn = blocks.draw_families(seed=1, count=100, sizes=2)
    assert drawn == blocks.draw_families(seed=1, count=100, sizes=2)
    offered = set()
    for seed, family in enumerate(drawn):
        plain = blocks.draw_block(family, np.random.default_rng(seed))
        offered |= {plan.method for plan in blocks.plans_of(plain)} if plain else set()
    assert offered == METHODS.keys() - {"reference"}


def test_a_wrong_gradient_is_counted(monkeypatch):
    right = blocks.run

    def run(plan, arrays):
        y, dx, dw, db = right(plan, arrays)
        return y, dx, dw, db + (plan.method != "reference")

    monkeypatch.setattr(blocks, "run", run)
    monkeypatch.setattr(blocks, "is_near_tie", lambda *_: False)
    counts, wrong = blocks.campaign(1, 60, seed=1, families=[FAMILY])
    assert len(wrong) == sum(counts.values()) - counts["blocks"] > 0
    assert "seed 1, number" in wrong[0]


def test_an_error_that_is_not_a_number_is_infinite():
    one = np.ones(3)
    assert list(blocks.errors([one, np.array([1, np.nan, 1])], [one, one])) == [0, np.inf]


@pytest.mark.parametrize(("offset", "near"), [(1e-7, True), (0.5, False)])
def test_gaps_tell_the_two_largest_of_a_window(offset, near):
    rng = np.random.default_rng(0)
    plain = None
    while plain is None or plain.pool != "max" or plain.window == (1, 1, 1):
        plain = blocks.draw_block(blocks.Family(3, 1, (1, 1, 1), (1, 1, 1), "float32"), rng)
    z = np.zeros((1, *plain.convolved_shape))
    z[0, 0, 0, 0] = 1 + offset
    for position in np.ndindex(*plain.window):
        if position != (0, 0, 0):
            z[(0, *position)] = 1
            break
    assert (blocks.gaps(z, plain)[0, 0, 0, 0] < 1e-6).all() == near
