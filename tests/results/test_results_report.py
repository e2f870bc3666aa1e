"""Reports: every number of the scores is in the tables and files; pictures are drawn at any size."""

import csv

import matplotlib.image
import numpy as np
import pytest
from rich.console import Console

from mpmm.display.score_tables import class_table, comparison_table, confusion_table
from mpmm.pictures.confusion import row_shares, write_confusion_picture
from mpmm.results.report import write_class_csv, write_confusion_csv
from mpmm.results.scores import Scores
from mpmm.scene import LandCover

NAMES = ("Rock", "Tree", "Water")
CLASSES = tuple(LandCover(i + 1, name, "#808080") for i, name in enumerate(NAMES))
SCORES = Scores.from_confusion([[30, 2, 0], [1, 40, 3], [0, 0, 0]], NAMES)


def printed(table) -> str:
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    with console.file:
        console.print(table)
    return console.export_text()


def test_comparison_holds_ours_and_the_baselines():
    text = printed(
        comparison_table({"mpmm": SCORES, "knn": Scores.from_confusion(np.eye(3, dtype=int), NAMES)}, "t")
    )
    ours = next(line for line in text.splitlines() if "mpmm" in line)
    assert "92.1" in ours
    assert "83.8 - 96.3" in ours
    assert f"{SCORES.kappa:.3f}" in ours
    assert "76" in ours
    assert "100.0" in next(line for line in text.splitlines() if "knn" in line)


def test_class_table_holds_intervals_and_leaves_out_what_is_not_defined():
    lines = printed(class_table(SCORES, CLASSES)).splitlines()
    rock = next(line for line in lines if "Rock" in line)
    assert "96.8 [83.8, 99.4]" in rock
    water = next(line for line in lines if "Water" in line)
    assert " ".join(water.split()) == "3 ■ Water 0 0.0 [0.0, 56.1] - 0.0 [0.0, 71.9]"


def test_confusion_table_holds_the_counts():
    lines = printed(confusion_table(SCORES)).splitlines()
    assert next(line for line in lines if "Tree" in line).split() == ["2", "Tree", "1", "40", "3"]
    assert next(line for line in lines if "Rock" in line).split() == ["1", "Rock", "30", "2"]
    lines = printed(confusion_table(SCORES, names=False)).splitlines()
    assert ["2", "1", "40", "3"] in [line.split() for line in lines]


def test_confusion_csv_reads_back(tmp_path):
    write_confusion_csv(tmp_path / "confusion.csv", SCORES)
    with (tmp_path / "confusion.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0][1:] == list(NAMES)
    assert [[int(cell) for cell in row[1:]] for row in rows[1:]] == [list(row) for row in SCORES.confusion]


def test_class_csv_holds_fractions_and_blanks(tmp_path):
    write_class_csv(tmp_path / "classes.csv", SCORES)
    with (tmp_path / "classes.csv").open() as file:
        rows = {row["class"]: row for row in csv.DictReader(file)}
    assert float(rows["Rock"]["recall"]) == pytest.approx(30 / 32)
    assert float(rows["Rock"]["recall_low"]) < 30 / 32 < float(rows["Rock"]["recall_high"])
    assert rows["Water"]["recall"] == ""


@pytest.mark.parametrize("count", [2, 20])
def test_picture_is_drawn(tmp_path, count):
    random = np.random.default_rng(0)
    counts = random.poisson(2, (count, count)) + np.diag(random.integers(10, 900, count))
    counts[0] = 0
    scores = Scores.from_confusion(counts, [f"A class with a long name {i}" for i in range(count)])
    write_confusion_picture(tmp_path / "confusion.png", scores, "validation")
    image = matplotlib.image.imread(tmp_path / "confusion.png")
    assert min(image.shape[:2]) > 500
    assert len(np.unique(image.reshape(-1, image.shape[2]), axis=0)) > count


def test_shares_of_an_empty_row_are_zero():
    np.testing.assert_array_equal(row_shares(np.array([[0, 0], [1, 3]])), [[0, 0], [0.25, 0.75]])
