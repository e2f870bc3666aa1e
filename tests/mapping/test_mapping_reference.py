"""Pixels of known class: read by row and column, by coordinates or from a raster, and what is refused."""

import numpy as np
import pytest
from bugs.bug_scenes import write

from mpmm.errors import RunError
from mpmm.mapping import read_class_raster, read_reference
from mpmm.scene import Grid, LandCover

CLASSES = (LandCover(3, "grass", "#00ff00"), LandCover(7, "road", "#808080"))
# as bug_scenes writes rasters: 1 m, north-west corner at 500000, 5000000
GRID = Grid(None, (1.0, 0.0, 500000.0, 0.0, -1.0, 5000000.0), 4, 6)


def table(folder, text):
    path = folder / "sample.csv"
    path.write_text(text)
    return path


def entries(samples):
    return [*zip(samples.rows.tolist(), samples.columns.tolist(), samples.labels.tolist(), strict=True)]


@pytest.mark.parametrize(
    "text",
    [
        "row,column,class\n1,2,3\n3,5,road\n",
        "class,x,y\n3,500002.5,4999998.5\n7,500005.999,4999996.001\n",
        "Class , Row, Column, note\ngrass,1,2,by eye\n7,3,5\n",
    ],
)
def test_a_table_names_pixels_by_row_and_column_or_by_coordinates(tmp_path, text):
    assert entries(read_reference(table(tmp_path, text), GRID, CLASSES)) == [(1, 2, 0), (3, 5, 1)]


def test_a_raster_names_pixels_by_their_ids(tmp_path):
    ids = np.zeros((4, 6), np.uint8)
    ids[1, 2], ids[3, 5], ids[0, 0], ids[0, 1] = 3, 7, 9, 255
    path = write(tmp_path / "ids.tif", ids, nodata=255)
    grid = read_class_raster(path, "").grid
    assert entries(read_reference(path, grid, CLASSES, ignore=(9,))) == [(1, 2, 0), (3, 5, 1)]
    with pytest.raises(RunError, match="id 9, which is no class"):
        read_reference(path, grid, CLASSES)
    with pytest.raises(RunError, match="other pixels than the map"):
        read_reference(path, grid.part(0, 1, 4, 6), CLASSES)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no column"),
        ("row,x,class\n", "names row, x, class"),
        ("row,column,class\n1,2,3\n4,0,3\n", "line 3: lies outside of the map's 4 x 6 pixels"),
        ("x,y,class\n499999.9,4999999,3\n", "line 2: lies outside"),
        ("row,column,class\n1,2,3\n1,2,7\n", "line 3: row 1, column 2 is in the sample already"),
        ("row,column,class\n1,2,moss\n", "line 2: 'moss' is no class of the run"),
        ("row,column,class\n1.5,2,3\n", "expected whole numbers"),
        ("row,column,class\nnan,2,3\n", "expected numbers"),
        ("row,column,class\n1\n", "column '': expected numbers"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path, text, says):
    with pytest.raises(RunError, match=says):
        read_reference(table(tmp_path, text), GRID, CLASSES)


def test_a_file_that_is_missing_or_no_map_is_refused(tmp_path):
    with pytest.raises(RunError, match=r"sample\.csv: cannot be read: No such file"):
        read_reference(tmp_path / "sample.csv", GRID, CLASSES)
    bands = write(tmp_path / "bands.tif", np.zeros((2, 4, 6), np.uint8))
    with pytest.raises(RunError, match="not a class map: 2 bands of uint8"):
        read_reference(bands, GRID, CLASSES)
    with pytest.raises(RunError, match="cannot be read"):
        read_class_raster(tmp_path / "gone.tif", "make it")
