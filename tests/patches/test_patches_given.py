"""The given split: parts as they come, validation from training, the leak counted, and what is refused."""

import hashlib

import numpy as np
import pytest
from naive import patches as naive

from mpmm.errors import PatchError
from mpmm.patches import SplitOptions, draw_given, draw_split, read_part_table, usable_centres

IDS = (3, 7)
SIZE = 3


def halves(rows=24, columns=30, gap=0):
    """Label maps of training (left) and test (right), `gap` columns apart: class 3 above and 7 below."""
    labels = np.full((rows, columns), 3, np.int16)
    labels[rows // 2 :] = 7
    train, test = labels.copy(), labels.copy()
    train[:, columns // 2 :] = 0
    test[:, : columns // 2 + gap] = 0
    return {"train": train, "test": test}


def drawn(labels, size=SIZE, class_ids=IDS, **options):
    usable = usable_centres([np.ones(labels["train"].shape, bool)], size)
    options = {"kind": "given", "per_class": None, **options}
    return draw_given(labels, usable, class_ids, SplitOptions(size=size, **options), ("grass", "road"))


def pixels(samples, columns=30):
    return {*(samples.rows.astype(int) * columns + samples.columns).tolist()}


def test_every_labelled_pixel_goes_to_the_part_it_is_given():
    labels = halves()
    split = drawn(labels)
    inner = np.zeros((24, 30), bool)
    inner[1:-1, 1:-1] = True
    assert pixels(split.train) | pixels(split.validation) == {*np.flatnonzero(inner & (labels["train"] > 0))}
    assert pixels(split.test) == {*np.flatnonzero(inner & (labels["test"] > 0))}
    assert not pixels(split.train) & pixels(split.validation)
    for part in split.parts.values():
        ids = labels["train"][part.rows, part.columns] + labels["test"][part.rows, part.columns]
        np.testing.assert_array_equal(ids, np.array(IDS)[part.labels])
    assert (split.short, split.absent, split.block_edge) == ({}, (), None)
    assert [*split.requested.values()] == split.counts().sum(axis=1).tolist()


def test_validation_has_its_share_of_the_training_part():
    split = drawn(halves(), shares=(0.6, 0.2, 0.2))
    train, validation, _ = split.counts().T
    np.testing.assert_array_equal(validation, [14 * 11 // 4 + 1] * 2)
    np.testing.assert_array_equal(train + validation, [14 * 11] * 2)


def test_per_class_counts_in_training_and_leaves_test_whole():
    whole = drawn(halves())
    split = drawn(halves(), per_class=10, shares=(0.8, 0.2, 0.0))
    np.testing.assert_array_equal(split.counts()[:, :2], [[8, 2]] * 2)
    assert pixels(split.test) == pixels(whole.test)
    short = drawn(halves(), per_class=1000)
    assert short.short == {3: int(short.counts()[0].sum()), 7: int(short.counts()[1].sum())}


def test_a_given_validation_part_is_taken_whole():
    labels = halves()
    labels["validation"] = labels["train"].copy()
    labels["validation"][:, 6:] = labels["train"][:, :6] = 0
    split = drawn(labels)
    assert split.validation.columns.max() == 5
    assert split.train.columns.min() == 6
    assert len(split.validation) == 22 * 5


@pytest.mark.parametrize(("size", "gap"), [(3, 0), (9, 0), (9, 7), (9, 8)])
def test_the_leak_of_each_part_is_that_of_its_pixels(size, gap):
    """Disjoint masks of pixels are no disjoint patches: those along the border see training ground."""
    split = drawn(halves(gap=gap), size=size, shares=(1.0, 0.0, 0.0))
    trained = naive.pixels(split.train, size, (24, 30)).any(axis=0)
    seen = (naive.pixels(split.test, size, (24, 30)) & trained).any(axis=(1, 2))
    assert split.leaks() == {"test": seen.mean()}
    assert (seen.mean() > 0) == (gap < 8)


def test_a_class_without_training_pixels_is_absent_from_training_and_scored():
    labels = halves()
    labels["train"][labels["train"] == 7] = 0
    split = drawn(labels)
    assert ("train", 7) in split.absent
    assert split.untrained() == (7,)
    assert split.counts()[1].tolist() == [0, 0, 14 * 11]
    # nothing is asked of it in training, so that it is not short of that
    few = drawn(labels, per_class=10)
    assert (few.short, few.requested[7]) == ({}, 14 * 11)
    assert drawn(halves()).untrained() == ()


def test_the_same_seed_gives_the_same_parts_for_good():
    """Pinned: a run made today can be repeated on another machine with another NumPy."""
    digest = hashlib.sha256()
    for part in drawn(halves(), per_class=20, seed=5).parts.values():
        for array in (part.rows, part.columns, part.labels):
            digest.update(array.astype("<i4").tobytes())
    assert digest.hexdigest()[:12] == "91c7241244e4"
    assert pixels(drawn(halves(), per_class=20, seed=6).train) != pixels(drawn(halves(), per_class=20).train)


def without(part, ids=IDS):
    labels = halves()
    labels[part][np.isin(labels[part], ids)] = 0
    return labels


def overlapping():
    labels = halves()
    labels["test"][5, 4] = 3
    return labels


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (overlapping(), "1 pixels are labelled for train and for test, the first at row 5, column 4"),
        (without("test"), "no test patch of 3 x 3 pixels is left in the given split"),
        (without("train"), "no train patch of 3 x 3"),
        ({**halves(), "train": without("train", [7])["train"], "test": without("test", [7])["test"]}, "road"),
    ],
    ids=["twice", "no test", "no training", "no pixel of a class"],
)
def test_parts_that_cannot_be_used_are_refused(labels, says):
    with pytest.raises(PatchError, match=says) as caught:
        drawn(labels)
    assert caught.value.hint


def test_a_given_split_is_not_drawn_from_one_map():
    with pytest.raises(PatchError, match="given split is not drawn"):
        draw_split(halves()["train"], np.ones((24, 30), bool), IDS, SplitOptions(size=3, kind="given"))


def table(tmp_path, *lines, heading="row,column,part"):
    path = tmp_path / "parts.csv"
    path.write_text("\n".join([heading, *lines]) + "\n")
    return path


def test_a_table_gives_each_pixel_its_part(tmp_path):
    labels = halves()["train"] + halves()["test"]
    path = table(
        tmp_path, "train,2,1,x", "test, 3 ,2,y", "", "train,20,4,z", heading="\ufeffPart,Column,row,name"
    )
    parts = read_part_table(path, labels, IDS)
    assert {*parts} == {"train", "test"}
    assert np.argwhere(parts["train"] > 0).tolist() == [[1, 2], [4, 20]]
    assert (parts["test"][2, 3], parts["test"][1, 2]) == (3, -1)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["1,2,tarin"], "line 2: the part is 'tarin'; expected train, validation, test"),
        (["1,2,train", "24,2,test"], "line 3: row 24, column 2 is outside of 24 x 30 pixels"),
        (["-1,2,train"], "row -1, column 2 is outside"),
        (["1,2,train", "1,2,test"], "line 3: row 1, column 2 has been given a part before"),
        (["0,0,train"], "line 2: row 0, column 0 has no label"),
        (["1.5,2,train"], "row '1.5', column '2'; expected whole numbers"),
        (["1,2"], "line 2: has too few cells"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path, lines, says):
    labels = np.full((24, 30), 3, np.int16)
    labels[0, 0] = 0
    with pytest.raises(PatchError, match=says) as caught:
        read_part_table(table(tmp_path, *lines), labels, IDS)
    assert "parts.csv" in caught.value.problem


def test_a_file_that_is_no_such_table_is_refused(tmp_path):
    labels = np.full((24, 30), 3, np.int16)
    with pytest.raises(PatchError, match="has no column column; its first line names row, x"):
        read_part_table(table(tmp_path, heading="row,x"), labels, IDS)
    with pytest.raises(PatchError, match="cannot be read: No such file"):
        read_part_table(tmp_path / "absent.csv", labels, IDS)
    (tmp_path / "latin.csv").write_bytes("row,column,part,né".encode("latin-1"))
    with pytest.raises(PatchError, match="not in UTF-8"):
        read_part_table(tmp_path / "latin.csv", labels, IDS)
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(PatchError, match="names none"):
        read_part_table(tmp_path / "empty.csv", labels, IDS)
