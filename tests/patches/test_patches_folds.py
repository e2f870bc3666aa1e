"""Spatial folds: each block is tested once, no pixel is in patches of two parts, the same for good."""

import hashlib

import numpy as np
import pytest
from naive import patches as naive

from mpmm.errors import PatchError
from mpmm.patches import SplitOptions, draw_split, usable_centres

SIZE = 5
LABELS = np.kron(np.random.default_rng(4).integers(1, 4, (8, 9)), np.ones((10, 10), int)).astype(np.int16)

# 16 usable centres, whose patches all share pixels
FEW = (np.arange(64).reshape(8, 8) % 3 + 1).astype(np.int16)


def drawn(fold, folds=5, labels=LABELS, **options):
    usable = usable_centres([np.ones(labels.shape, bool)], SIZE)
    asked = {"size": SIZE, "per_class": 60, "kind": "folds", "folds": folds, "fold": fold, **options}
    return draw_split(labels, usable, [1, 2, 3], SplitOptions(**asked))


def pixels(samples):
    return {*zip(samples.rows.tolist(), samples.columns.tolist(), strict=True)}


@pytest.mark.parametrize("folds", [3, 5])
def test_each_fold_is_tested_once_and_validates_the_one_before(folds):
    splits = [drawn(fold, folds) for fold in range(1, folds + 1)]
    tested = [pixels(split.test) for split in splits]
    assert len(set.union(*tested)) == sum(map(len, tested)) > 100
    for split, following in zip(splits, [*splits[1:], splits[0]], strict=True):
        assert pixels(split.validation) == pixels(following.test)
        assert len(split.train) > (folds - 2) * len(split.test) * 0.7


@pytest.mark.parametrize("fold", [1, 4])
def test_no_pixel_is_in_patches_of_two_parts(fold):
    split = drawn(fold)
    covered = [naive.pixels(part, SIZE, LABELS.shape).any(axis=0) for part in split.parts.values()]
    assert (np.sum(covered, axis=0) <= 1).all()
    assert split.leaks() == {"validation": 0, "test": 0}
    assert (split.kind, split.block_edge >= SIZE, split.absent) == ("folds", True, ())


def test_classes_have_their_shares_in_every_part():
    np.testing.assert_array_equal(drawn(2).counts(), [[36, 12, 12]] * 3)


def test_the_same_seed_gives_the_same_folds_for_good():
    """Pinned: a cross-validation of today can be repeated on another machine with another NumPy."""
    digest = hashlib.sha256()
    for part in drawn(3, seed=2).parts.values():
        for array in (part.rows, part.columns, part.labels):
            digest.update(array.astype("<i4").tobytes())
    assert digest.hexdigest()[:12] == "5927b0041196"
    assert pixels(drawn(3, seed=3).test) != pixels(drawn(3, seed=2).test)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"fold": 6}, "fold 6 of 5"),
        ({"fold": 0}, "fold 0 of 5"),
        ({"fold": 1, "folds": 2}, "2 folds"),
        ({"labels": FEW}, "patch of 5 x 5 pixels is left where fold 1 of 5 is tested"),
    ],
)
def test_folds_that_cannot_be_drawn_are_refused(options, says):
    with pytest.raises(PatchError, match=says) as caught:
        drawn(**{"fold": 1, **options})
    assert caught.value.hint
