"""Batches and augmentation: complete, shuffled, and the same from the same seed and epoch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpmm.errors import PatchError
from mpmm.patches import Batches, orientations


@given(st.integers(1, 200), st.integers(1, 60), st.integers(0, 5), st.booleans())
def test_an_epoch_holds_every_sample_once(count, batch, epoch, drop_last):
    if drop_last and count < batch:
        return
    batches = Batches(count, batch, seed=4, drop_last=drop_last)
    steps = batches.epoch(epoch)
    assert len(steps) == batches.steps_per_epoch
    assert {len(step) for step in steps[:-1]} <= {batch}
    assert len(steps[-1]) == (batch if drop_last or count % batch == 0 else count % batch)
    drawn = np.concatenate(steps)
    assert len(np.unique(drawn)) == len(drawn)
    assert len(drawn) == (count - count % batch if drop_last else count)


def test_pinned_for_good():
    assert [step.tolist() for step in Batches(7, 3, seed=1).epoch(2)] == [[0, 6, 4], [2, 3, 5], [1]]
    assert orientations(np.arange(12), 3, 5).tolist() == [7, 2, 4, 5, 5, 5, 7, 5, 6, 4, 1, 3]


def test_epochs_and_seeds_differ():
    orders = [np.concatenate(Batches(50, 8, seed=s).epoch(e)).tolist() for s in (0, 1) for e in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4


def test_other_samples_are_dropped_in_each_epoch():
    batches = Batches(25, 10, drop_last=True)
    dropped = [frozenset(range(25)) - {*np.concatenate(batches.epoch(e)).tolist()} for e in range(4)]
    assert len(set(dropped)) > 1


def test_in_order_keeps_everything():
    steps = Batches(25, 10, drop_last=True).in_order()
    assert np.concatenate(steps).tolist() == list(range(25))


def test_orientation_follows_from_the_sample_not_from_its_batch():
    together = orientations(np.arange(100), 3, 5)
    np.testing.assert_array_equal(orientations(np.array([70, 3]), 3, 5), together[[70, 3]])
    assert not np.array_equal(together, orientations(np.arange(100), 4, 5))
    assert not np.array_equal(together, orientations(np.arange(100), 3, 6))


def test_all_eight_orientations_are_alike_frequent():
    counts = np.bincount(orientations(np.arange(80_000), 0, 0), minlength=8)
    assert (abs(counts - 10_000) < 400).all()  # more than four standard deviations


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"count": 9, "batch": 0}, "batches of 0 samples"),
        ({"count": 9, "batch": 10, "drop_last": True}, "9 samples give no batch of 10 and short"),
        ({"count": 0, "batch": 10}, "0 samples give no batch"),
    ],
)
def test_empty_epochs_are_refused(options, says):
    with pytest.raises(PatchError, match=says):
        Batches(**options)


def test_oversampling_draws_each_class_and_each_of_its_samples_equally_often():
    """What PyTorch's WeightedRandomSampler does with weights of 1 / samples of the class."""
    classes = np.repeat([4, 0, 7], [3, 30, 300])[np.random.default_rng(1).permutation(333)]
    batches = Batches(333, 50, seed=2, classes=classes)
    drawn = np.concatenate([index for epoch in range(300) for index in batches.epoch(epoch)])
    counts = np.bincount(drawn, minlength=333)
    assert counts.sum() == 300 * 333
    for cover in (0, 4, 7):
        each = counts[classes == cover]
        mean, total = 100 * 333 / len(each), 100 * 333
        assert abs(each.sum() - total) < 4 * np.sqrt(total * 2 / 3)
        assert (abs(each - mean) < 5 * np.sqrt(mean)).all()


def test_oversampling_follows_from_seed_and_epoch_alone():
    classes = np.array([1, 1, 1, 1, 0, 3])
    once, again = (Batches(6, 4, seed=3, classes=classes.astype(kind)).epoch(1) for kind in ("i2", "i8"))
    assert [index.tolist() for index in once] == [index.tolist() for index in again]
    assert [index.tolist() for index in once] == [[5, 5, 4, 5], [5, 4]]
    assert [index.tolist() for index in Batches(6, 4, seed=3, classes=classes).epoch(2)] != [
        [5, 5, 4, 5],
        [5, 4],
    ]
