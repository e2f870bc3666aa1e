"""The picture of a confusion matrix is drawn at any size."""

import matplotlib.image
import numpy as np
import pytest

from mpmm.pictures import write_confusion_picture
from mpmm.pictures.confusion import row_shares
from mpmm.results import Scores


@pytest.mark.parametrize("count", [2, 20])
def test_picture_is_drawn(tmp_path, count):
    random = np.random.default_rng(0)
    counts = random.poisson(2, (count, count)) + np.diag(random.integers(10, 900, count))
    counts[0] = 0
    scores = Scores.from_confusion(counts, [f"A class with a long name {i}" for i in range(count)])
    write_confusion_picture(tmp_path / "confusion.png", scores, "validation")
    image = matplotlib.image.imread(tmp_path / "confusion.png")
    assert min(image.shape[:2]) > 500
    # a colour's four bytes as one number, for rows of numbers take seconds to sort
    colours = np.ascontiguousarray(np.rint(255 * image).astype(np.uint8)).view(np.uint32)
    assert len(np.unique(colours)) > count


def test_shares_of_an_empty_row_are_zero():
    np.testing.assert_array_equal(row_shares(np.array([[0, 0], [1, 3]])), [[0, 0], [0.25, 0.75]])
