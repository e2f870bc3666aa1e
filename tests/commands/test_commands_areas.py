"""`mpmm evaluate --area`: areas of a map corrected by a sample, printed and written beside the run."""

import csv
import json

import numpy as np
import pytest
import rasterio
from bugs.bug_scenes import UTM, plain, write
from click.testing import CliRunner

from mpmm.commands import evaluate
from mpmm.errors import RunError
from mpmm.results import estimate_areas
from mpmm.runs import fit

SAMPLE = [[18, 2, 0], [1, 19, 0], [0, 4, 16]]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("areas")
    return fit(plain(folder, epochs="1"), run=folder / "run", progress=False)


def told(*arguments):
    done = CliRunner().invoke(evaluate.command, [str(argument) for argument in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def mapped(folder, **options):
    """A map of three stripes of 10, 20 and 18 columns, its first row without a class."""
    ids = np.repeat(np.repeat(np.uint8([[1, 2, 3]]), (10, 20, 18), axis=1), 48, axis=0)
    ids[0] = 0
    return write(folder / "map.tif", ids, nodata=0, **options)


def sampled(folder, more=""):
    """Twenty pixels of each stripe, of the classes that SAMPLE counts."""
    lines = ["row,column,class"]
    for first, counts in zip((0, 10, 30), SAMPLE, strict=True):
        classes = np.repeat([1, 2, 3], counts)
        lines += [f"{row + 1},{first},{number}" for row, number in enumerate(classes)]
    path = folder / "sample.csv"
    path.write_text("\n".join(lines) + "\n" + more)
    return path


def test_areas_are_printed_in_hectares_and_written_beside_the_run(run, tmp_path):
    text = told(run.folder, "--area", mapped(tmp_path), "--sample", sampled(tmp_path, "0,3,1\n")).output
    names = [cover.name for cover in run.classes_]
    expected = estimate_areas(SAMPLE, [47 * width for width in (10, 20, 18)], names)
    folder = run.folder / "evaluation" / "area-map"
    written = json.loads((folder / "areas.json").read_text())
    assert written == {"pixel_area": 1.0, **expected.to_dict()}
    with (folder / "areas.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert [row["class"] for row in rows] == names
    assert [float(row["area"]) for row in rows] == [each.area.value for each in expected.classes]
    first = expected.classes[0]
    hectares = 47 * 48 / 10_000
    assert f"0.05   {first.area.value * hectares:.2f} ± {first.area.half * hectares:.2f}" in text
    assert f"{100 * first.users.value:.1f} ± {100 * first.users.half:.1f}" in text
    assert "60 pixels, taken as drawn at random within each mapped class; 1 more lie" in text


@pytest.mark.parametrize(
    ("crs", "area"), [("EPSG:2277", (1200 / 3937) ** 2), ("EPSG:4326", None), (None, None)]
)
def test_a_map_in_feet_in_degrees_or_nowhere(run, tmp_path, crs, area):
    text = told(run.folder, "--area", mapped(tmp_path, crs=crs), "--sample", sampled(tmp_path)).output
    assert ("area pixels" in text) == (area is None)
    written = json.loads((run.folder / "evaluation" / "area-map" / "areas.json").read_text())
    assert written["pixel_area"] == (None if area is None else pytest.approx(area, rel=1e-9))


def test_the_scenes_own_labels_are_a_sample_too(run, tmp_path):
    path = run.config_.scene.folder / "labels.tif"
    text = told(run.folder, "--area", mapped(tmp_path), "--sample", path).output
    assert f"{47 * 48:,} pixels" in text
    assert f"{48:,} more lie" in text


def test_what_cannot_be_estimated_is_refused_and_nothing_written(run, tmp_path):
    path, sample = mapped(tmp_path), sampled(tmp_path)
    assert "areas need both" in told(run.folder, "--area", path).output
    with rasterio.open(path, "r+") as raster:
        raster.write(np.full((48, 48), 9, np.uint8), 1)
    with pytest.raises(RunError, match="id 9, which is no class of the run"):
        told(run.folder, "--area", path, "--sample", sample)
    elsewhere = write(tmp_path / "other.tif", np.zeros((48, 48), np.uint8), crs=UTM)
    with pytest.raises(RunError, match="none of its pixels has a class"):
        told(run.folder, "--area", elsewhere, "--sample", sample)
    assert not (run.folder / "evaluation" / "area-other").exists()
