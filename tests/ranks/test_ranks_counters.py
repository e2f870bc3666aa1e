"""Counters: what a run knows of itself between two steps, and when it ends."""

import json

import numpy as np
import pytest

from mpmm.errors import RunError
from mpmm.network import Rates
from mpmm.ranks.counters import Counters, Limits


def test_means_are_over_patches_not_batches():
    counters = Counters()
    counters.add_step(loss=1.0, correct=30, patches=40)
    counters.add_step(loss=4.0, correct=0, patches=10)
    assert counters.loss == pytest.approx((40 + 40) / 50)
    assert counters.accuracy == pytest.approx(30 / 50)
    assert (counters.step, counters.position) == (2, 2)


def test_an_epoch_starts_from_nothing():
    counters = Counters()
    counters.add_step(1.0, 3, 4)
    counters.end_epoch(0.5)
    assert counters == Counters(step=1, epoch=1, best=0.5, best_epoch=0)


def test_best_and_stale():
    counters = Counters()
    assert [counters.end_epoch(accuracy) for accuracy in (0.5, 0.5, 0.7, 0.6)] == [True, False, True, False]
    assert (counters.best, counters.best_epoch, counters.stale) == (0.7, 2, 1)


def test_without_validation_the_latest_epoch_is_the_best():
    counters = Counters()
    assert [counters.end_epoch(None) for _ in range(3)] == [True] * 3
    assert (counters.best, counters.best_epoch) == (None, 2)


@pytest.mark.parametrize("every", [1, 2, 3])
def test_the_rate_drops_where_pytorchs_does(every):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.7, patience=every - 1, threshold=0, eps=0, min_lr=0.01
    )
    counters, rates = Counters(), Rates(0.3, "plateau", factor=0.7, minimum=0.01)
    losses = np.random.default_rng(every).normal(size=60).cumsum() / 8 + np.geomspace(9, 1, 60)
    # equal to the lowest is no better, not a number neither
    for loss in [*losses, losses.min(), np.nan, losses.min() - 1]:
        counters.watch(loss, every)
        theirs.step(loss)
        assert rates.at(0, counters.drops) == optimizer.param_groups[0]["lr"]
    assert counters.drops > 1


def test_without_validation_or_a_rate_that_waits_no_drop_is_counted():
    counters = Counters()
    counters.watch(None, 1)
    counters.watch(2.0, None)
    assert counters == Counters()


@pytest.mark.parametrize(
    ("counters", "reason"),
    [
        (Counters(step=9, epoch=2, stale=1), None),
        (Counters(step=10, epoch=2), "10 steps"),
        (Counters(step=9, epoch=3), "3 epochs"),
        (Counters(step=9, epoch=2, stale=2), "no better validation accuracy for 2 epochs"),
    ],
)
def test_limits(counters, reason):
    assert Limits(epochs=3, steps=10, patience=2).reached(counters) == reason


def test_counters_survive_json():
    counters = Counters(
        step=7, epoch=1, position=3, loss_sum=0.1 + 0.2, correct=5, seen=9, best=1 / 3, best_epoch=0
    )
    assert Counters.from_dict(json.loads(json.dumps(counters.to_dict()))) == counters


def test_counters_from_before_rates_that_wait_are_read():
    plain = Counters(step=7, stale=1).to_dict()
    del plain["lowest"], plain["waited"], plain["drops"]
    assert Counters.from_dict(plain) == Counters(step=7, stale=1)


def test_counters_of_another_version_are_refused():
    plain = Counters().to_dict()
    del plain["stale"]
    with pytest.raises(RunError, match="differ: moon, stale"):
        Counters.from_dict({**plain, "moon": 1})
