"""Reports: every number of the scores is in the files."""

import csv

import pytest

from mpmm.results.report import write_class_csv, write_confusion_csv
from mpmm.results.scores import Scores

NAMES = ("Rock", "Tree", "Water")
SCORES = Scores.from_confusion([[30, 2, 0], [1, 40, 3], [0, 0, 0]], NAMES)


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
