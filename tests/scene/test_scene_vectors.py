"""Labels from vector files: the pixels they mean, by rules that need no rasteriser; and what is refused."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyogrio.raw
import pytest
import shapely
from rasterio.warp import transform

from mpmm.errors import SceneError
from mpmm.scene import Labels, LandCover, Modality, Scene, read_part_labels, scene_files

# of tests/scene/conftest.py
UTM, WEST, NORTH = "EPSG:26915", 272056.0, 3290290.0
SHAPE = (12, 16)


def at(x, y):
    """Metres right and down of the scene's corner; pixels are of 1 m."""
    return WEST + x, NORTH - y


def box(left, top, right, bottom):
    return shapely.box(*at(left, bottom), *at(right, top))


def point(x, y):
    return shapely.Point(*at(x, y))


# covers rows 2 to 4 and columns 1 to 5; a triangle; a point
FIELD, TRIANGLE = box(1, 2, 6, 5), shapely.Polygon([at(8, 1), at(14.2, 1), at(8, 7.2)])


@pytest.fixture
def write(tmp_path):
    def write_features(
        name="truth.gpkg", shapes=(FIELD, TRIANGLE), crs=UTM, layer=None, append=False, **columns
    ):
        columns = columns or {"cover": ["water", "asphalt"][: len(shapes)]}
        options = {"geometry_type": "Unknown", "crs": crs, "append": append}
        if name.endswith(".shp"):
            options["geometry_type"] = "Polygon"
        if layer:
            options["layer"] = layer
        fields = [
            np.array(values, object if isinstance(values[0], str | None) else None)
            for values in columns.values()
        ]
        geometry = shapely.to_wkb(np.array(shapes, object))
        pyogrio.raw.write(tmp_path / name, geometry, fields, list(columns), **options)
        return tmp_path / name

    return write_features


@pytest.fixture
def make(tmp_path, write_raster):
    def make_scene(file="truth.gpkg", *, rgb=False, **labels):
        write_raster("hsi.tif", np.ones((5, *SHAPE), np.uint16))
        modalities = [Modality("hsi", ("hsi.tif",))]
        if rgb:
            write_raster("rgb.tif", np.ones((3, 120, 160), np.uint8), 0.1)
            modalities.insert(0, Modality("rgb", ("rgb.tif",)))
        return Scene(tmp_path, Labels(file, **labels), tuple(modalities))

    return make_scene


def inside(shape):
    """Pixels whose centre is inside, asked of shapely pixel by pixel."""
    rows, columns = np.indices(SHAPE)
    return shapely.contains_xy(shape, WEST + columns + 0.5, NORTH - rows - 0.5)


def on_border(shape):
    """Pixels through whose inside the border passes, asked of shapely pixel by pixel."""
    rows, columns = np.indices(SHAPE)
    pixels = shapely.box(WEST + columns, NORTH - rows - 1, WEST + columns + 1, NORTH - rows)
    return shapely.relate_pattern(shape.boundary, pixels, "T********")


def expected(*shapes):
    """Ids 1, 2, ... of shapes in this order."""
    ids = np.full(SHAPE, -1, np.int16)
    for number, shape in enumerate(shapes, start=1):
        ids[inside(shape)] = number
    return ids


def test_texts_are_numbered_in_alphabetical_order(make, write):
    write()
    labels = make().read_labels()
    assert [(cover.id, cover.name) for cover in labels.classes] == [(1, "asphalt"), (2, "water")]
    np.testing.assert_array_equal(labels.ids, expected(TRIANGLE, FIELD))
    assert (labels.ids[2:5, 1:6] == 2).all()


@pytest.mark.parametrize("name", ["truth.geojson", "truth.shp", "truth.fgb", "truth.gpkg"])
def test_formats_and_coordinate_systems_give_the_same_pixels(make, write, name):
    def degrees(coordinates):
        return np.transpose(transform(UTM, "EPSG:4326", *coordinates.T))

    write(name, [shapely.transform(shape, degrees) for shape in (FIELD, TRIANGLE)], "EPSG:4326")
    np.testing.assert_array_equal(make(name).read_labels().ids, expected(TRIANGLE, FIELD))


def test_numbers_are_ids(make, write):
    write(cover=[7, 300])
    labels = make().read_labels()
    assert [(cover.id, cover.name) for cover in labels.classes] == [(7, "class 7"), (300, "class 300")]
    assert (labels.ids == 7).sum() == 15


@pytest.mark.parametrize("values", [["7", "10"], [7.0, 10.0]])
def test_whole_numbers_are_ids_in_any_type(make, write, values):
    write(cover=values)
    assert [cover.id for cover in make().read_labels().classes] == [7, 10]


def test_names_are_those_of_the_classes_listed(make, write):
    write()
    classes = (LandCover(4, "water", "#0000ff"), LandCover(9, "asphalt", "#444444"))
    labels = make(classes=classes).read_labels()
    assert labels.classes == classes
    assert (labels.ids[2:5, 1:6] == 4).all()
    write(cover=["water", "lawn"])
    with pytest.raises(SceneError, match=r"'lawn', which is none of the classes asphalt, water"):
        make(classes=classes).read_labels()


def test_ignored_ids_are_not_burned(make, write):
    write(cover=[-9999, 3])
    labels = make(ignore=(0, -9999)).read_labels()
    assert set(np.unique(labels.ids)) == {-1, 3}


def test_pixels_on_borders_are_left_out_by_choice(make, write):
    write()
    ids = make(borders="drop").read_labels().ids
    wanted = np.where(on_border(TRIANGLE) | on_border(FIELD), -1, expected(TRIANGLE, FIELD))
    np.testing.assert_array_equal(ids, wanted)
    # its edges are those of pixels, so that none of its own is mixed
    assert (ids == 2).sum() == 15
    assert (ids == 1).sum() < inside(TRIANGLE).sum()


def test_holes_are_not_labelled_nor_is_their_border(make, write):
    holed = shapely.Polygon(box(1, 1, 9, 9).exterior, [box(3.4, 3.4, 6.4, 6.4).exterior])
    write(shapes=[holed], cover=["lawn"])
    assert (make().read_labels().ids == 1).sum() == 64 - 9
    assert (make(borders="drop").read_labels().ids == 1).sum() == 64 - 16


def test_a_point_labels_the_pixel_that_it_lies_in(make, write):
    several = shapely.MultiPoint([at(0.1, 0.1), at(15.9, 11.9), at(40, 40)])
    write(shapes=[several, point(3.5, 2.0)], cover=["a", "b"])
    ids = make().read_labels().ids
    assert np.argwhere(ids == 1).tolist() == [[0, 0], [11, 15]]
    assert np.argwhere(ids == 2).tolist() == [[2, 3]]


def test_overlapping_classes_are_refused_or_left_out(make, write):
    write(shapes=[box(1, 2, 6, 5), box(4, 3, 9, 9)])
    with pytest.raises(SceneError, match=r"classes 1 and 2 overlap at row 3, column 4 .* 3 more") as caught:
        make().read_labels()
    assert 'overlaps = "drop"' in caught.value.hint
    scene = make(overlaps="drop")
    ids = scene.read_labels().ids
    assert (ids[3:5, 4:6] == -1).all()
    assert [(ids == number).sum() for number in (1, 2)] == [30 - 4, 15 - 4]
    assert "4 pixels in shapes of different classes are left out" in scene.inspect_labels().notes


def test_shapes_of_one_class_may_overlap(make, write):
    write(shapes=[box(1, 2, 6, 5), box(4, 3, 9, 9)], cover=["a", "a"])
    assert (make().read_labels().ids == 1).sum() == 15 + 30 - 4


def test_strips_give_what_the_whole_gives(make, write, monkeypatch):
    write()
    whole = {borders: make(borders=borders).read_labels().ids for borders in ("keep", "drop")}
    monkeypatch.setattr("mpmm.scene.label_reading._STRIP_PIXELS", 16)
    for borders, ids in whole.items():
        scene = replace(make(borders=borders), cache=f"other-{borders}")
        np.testing.assert_array_equal(scene.read_labels().ids, ids)


def test_the_grid_is_that_of_most_bands_or_the_named_modality(make, write):
    write()
    assert make(rgb=True).grid().shape == SHAPE
    assert make(rgb=True, grid="rgb").grid().shape == (120, 160)
    with pytest.raises(SceneError, match=r"'lidar' is no modality; the scene has rgb, hsi"):
        make(rgb=True, grid="lidar").grid()


def test_several_layers_and_columns_have_to_be_named(make, write):
    write(layer="old", shapes=[TRIANGLE], cover=["lawn"], year=[2018])
    write(layer="new", append=True, shapes=[FIELD], cover=["water"], year=[2019])
    with pytest.raises(SceneError, match="2 layers of features: old, new") as caught:
        make().read_labels()
    assert 'layer = "old"' in caught.value.hint
    with pytest.raises(SceneError, match="no layer 'newest' of features; it has old, new"):
        make(layer="newest").read_labels()
    with pytest.raises(SceneError, match="has 2 columns: cover, year; which"):
        make(layer="new").read_labels()
    with pytest.raises(SceneError, match="has no column 'colour'; it has cover, year"):
        make(layer="new", column="colour").read_labels()
    assert (make(layer="new", column="cover").read_labels().ids == 1).sum() == 15


def test_features_without_class_or_inside_the_scene_are_said(make, write):
    write(shapes=[FIELD, TRIANGLE, box(90, 90, 99, 99), None], cover=["a", None, "b", "c"])
    notes = make().inspect_labels().notes
    assert "2 features without a class or a geometry are left out" in notes
    assert "1 shapes lie outside of the scene" in notes


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"shapes": [box(90, 90, 99, 99)]}, r"no feature of \S+ lies in the scene, x .*: they cover x"),
        (
            {"shapes": [shapely.LineString([at(1, 1), at(5, 5)])]},
            "holds 1 lines; expected polygons or points",
        ),
        ({"cover": [1.5, 2.0]}, "holds 1.5; expected whole numbers from 0 to 32767"),
        ({"cover": [-3, 2]}, "holds -3; expected whole numbers"),
        ({"crs": None}, "has no coordinate system"),
    ],
)
@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_no_labels_are_refused(make, write, options, says):
    write(**options)
    with pytest.raises(SceneError, match=says):
        make().read_labels()


def test_a_crs_is_taken_for_a_file_without_and_compared_with_one_that_it_has(make, write):
    write()
    with pytest.raises(SceneError, match="is in EPSG:26915, but its crs is given as EPSG:32633"):
        make(crs="EPSG:32633").read_labels()
    assert (make(crs="EPSG:32615").read_labels().ids == 2).sum() == 15


@pytest.mark.parametrize("name", ["truth.gpkg", "truth.geojson", "truth.shp", "truth.fgb"])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.7, 0.95])
def test_a_file_that_is_cut_short_is_one_clear_error(make, write, name, share):
    path = write(name)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(SceneError, match=rf"labels: \S+{name}") as caught:
        make(name).read_labels()
    assert "prefixing" not in caught.value.problem


def test_a_missing_file_is_named(make):
    with pytest.raises(SceneError, match=r"labels: file \S+truth.gpkg is missing"):
        make().read_labels()


def test_parts_of_a_given_split_are_burned_with_the_scenes_classes(make, write):
    write()
    scene = make()
    labels = scene.read_labels()
    write("train.geojson", [box(1, 2, 3, 4), point(9.5, 2.5)], cover=["water", "asphalt"])
    ids = read_part_labels(scene, "train.geojson", labels.classes, labels.grid)
    assert np.argwhere(ids == 1).tolist() == [[2, 9]]
    assert (ids == 2).sum() == 4
    write("test.gpkg", [FIELD], cover=["lawn"])
    with pytest.raises(SceneError, match="'lawn', which is none of the classes asphalt, water"):
        read_part_labels(scene, "test.gpkg", labels.classes, labels.grid)


def test_a_changed_sidecar_or_setting_is_burned_again(make, write):
    write("truth.shp", [FIELD], cover=["a"])
    first = make("truth.shp").read_labels()
    write("truth.shp", [FIELD], cover=["b"])
    assert [cover.name for cover in make("truth.shp").read_labels().classes] == ["b"]
    assert first.classes[0].name == "a"
    assert (make("truth.shp", borders="drop").read_labels().ids == 1).sum() == 15
    assert len(list(make("truth.shp").cache_folder.glob("labels-*/ready.json"))) == 3


def test_files_that_are_read_include_a_shapefiles_parts(make, write):
    write("truth.shp", [FIELD], cover=["a"])
    names = {file.name for file in scene_files(make("truth.shp"))}
    assert {"truth.shp", "truth.dbf", "truth.shx", "truth.prj", "hsi.tif"} <= names


def test_a_rank_burns_labels_only_where_it_has_the_grids_files(make, write, tmp_path):
    write()
    scene = make(rgb=True)
    assert scene.files_here() == {"labels", "hsi", "rgb"}
    (tmp_path / "rgb.tif").unlink()
    assert scene.files_here() == {"hsi"}
    assert replace(scene, labels=replace(scene.labels, grid="hsi")).files_here() == {"labels", "hsi"}


def test_a_scene_of_rasters_loads_no_library_of_vectors_hdf5_or_the_web():
    code = "import sys, mpmm.scene; sys.exit(bool({'pyogrio', 'shapely', 'h5py', 'ssl'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0
