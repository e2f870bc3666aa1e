"""Tables of scores hold every number of the scores."""

import numpy as np
from rich.console import Console

from mpmm.display import class_table, comparison_table, confusion_table
from mpmm.results import Scores
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
