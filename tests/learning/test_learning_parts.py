"""What the learning tests stand on: ready configurations, samson's made-up camera, the report."""

from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from learning_scenes import CONFIGS
from mathematics import row, variants
from measure import Measured, confusions, report
from samson import camera

from mpmm.results.scores import Scores
from mpmm.scene import Labels, Modality, Scene
from mpmm.settings.config import load_config

SIZES = {"float32": 4, "bfloat16": 2}  # bytes
BANDS = {"samson": 156, "dlr_hysu": 123, "synthetic": 48, "towns": 48}


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_a_ready_configuration_describes_a_small_network(path, monkeypatch):
    def found(folder: Path, **_: object) -> Scene:
        return Scene(folder, Labels("labels.tif"), (Modality("hsi", ("hsi.tif",)),))

    monkeypatch.setattr(Scene, "dfc2018", found)
    config = load_config(path)
    spec = config.network.spec({"hsi": BANDS[path.stem], "rgb": 3}, 9, config.patches.size, 0)
    assert spec.modalities == ("hsi", "rgb")
    assert config.patches.split == "block"


def test_the_camera_sees_a_grey_cube_grey_and_a_red_edge_red():
    grey = np.full((2, 3, 156), 0.4)
    assert (camera(grey) == 102).all()
    wavelengths = np.linspace(401, 889, 156)
    red, green, blue = camera((wavelengths > 580)[None, None].astype(float))[0, 0]
    assert red > 200
    assert green < 40
    assert blue == 0


def test_the_report_adds_up_splits_and_names_confusions(capsys):
    """Two splits of 4 patches: 3 and 4 right against 2 and 2, so 37.5 points ahead."""
    ours = [
        Scores.from_confusion(counts, ("lawn", "road")) for counts in ([[2, 0], [1, 1]], [[2, 0], [0, 2]])
    ]
    theirs = [Scores.from_confusion([[1, 1], [1, 1]], ("lawn", "road"))] * 2
    measured = Measured({"mpmm": tuple(ours), "KNN (k=5)": tuple(theirs)}, (1.0, 3.0))
    report(measured, [5, 6])
    printed = capsys.readouterr().out
    assert "| mpmm | 87.5 ± 17.7 | 87.5 ± 17.7 | 0.750 ± 0.354 | 75.0 100.0 |" in printed
    assert "ahead of KNN (k=5): 37.5 ± 17.7 points, on 2 of 2 splits" in printed
    assert "training: 2 ± 1 s each, seeds 5 6" in printed
    assert confusions(measured.confusion()) == [(1, "road", "lawn")]


def test_a_row_of_other_mathematics_counts_what_crosses_ranks(monkeypatch):
    """Samson's first blocks are cut off by `optimized`: 37 x 8 and 3 x 8 values a patch, and as many back.

    The server gets a sum for each weight and bias, and four a filter of batch normalisation as they are.
    """
    monkeypatch.setattr("mathematics.launched_ranks", lambda: 4)
    config = load_config(CONFIGS / "samson.toml")
    spec = config.network.spec({"hsi": BANDS["samson"], "rgb": 3}, 3, config.patches.size, 0)
    scores = Scores.from_confusion([[1, 1], [0, 2]], ("soil", "tree"))
    run = SimpleNamespace(
        prepared=SimpleNamespace(spec=spec),
        history_=[{"validation_accuracy": 0.5}, {"validation_accuracy": 0.75}],
        evaluate=lambda part: scores,
    )
    formats = ["float32", "bfloat16"]
    choices = [formats, formats, ["exact"]]
    rows = [row(each, [run]) for each in variants(config, "optimized", choices)]
    values = 2 * 40 * (37 * 8 + 3 * 8)
    filters = 8 + 16 + 8 + 16
    convolutions = 63 * 8 + 8 * 5 * 16 + 27 * 8 + 8 * 3 * 16 + filters
    sums = convolutions + 129 * 32 + 17 * 16 + 49 * 32 + 33 * 3
    for found, (wire, gradient_wire) in zip(rows, product(formats, formats), strict=True):
        sent = values * SIZES[wire] + sums * SIZES[gradient_wire] + 4 * filters * 4
        assert found == f"| optimized | {wire} | {gradient_wire} | exact | {sent:,} | 75.00 | 75.00 | 75.00 |"
