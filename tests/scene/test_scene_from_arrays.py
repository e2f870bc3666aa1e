"""Arrays that a program holds become a scene's files: same values, and of xarray's the position."""

import numpy as np
import pytest

from mpmm.errors import SceneError
from mpmm.scene import Scene, scene_from_arrays

xarray = pytest.importorskip("xarray")
RANDOM = np.random.default_rng(0)
CUBE = RANDOM.integers(0, 900, (5, 8, 4)).astype(np.uint16)
TRUTH = RANDOM.integers(0, 3, (5, 8))


def on_ground(values, dims=("y", "x"), north_up=True, **coords):
    """Pixels of 2 x 3 m from x = 500,000 m and y = 4,000,000 m on, as rioxarray keeps them."""
    down = 4_000_000 - 3.0 * np.arange(5) - 1.5
    places = {"y": down if north_up else down[::-1], "x": 500_000 + 2.0 * np.arange(8) + 1}
    array = xarray.DataArray(values, dims=dims, coords={**places, **coords})
    from rasterio.crs import CRS

    attributes = {"crs_wkt": CRS.from_epsg(32633).to_wkt()}
    return array.assign_coords(spatial_ref=xarray.DataArray(0, attrs=attributes))


def test_numpy_arrays(tmp_path):
    colours = CUBE[:, :, :3].astype(np.float16)
    scene = scene_from_arrays(
        tmp_path / "new",
        TRUTH,
        {"hsi": CUBE, "rgb": colours, "height": CUBE[:, :, 0]},
        {1: "soil", 2: "water"},
    )
    aligned = scene.align()
    np.testing.assert_array_equal(aligned.modalities["hsi"].values, CUBE)
    np.testing.assert_array_equal(aligned.modalities["rgb"].values, colours)
    np.testing.assert_array_equal(aligned.modalities["height"].values, CUBE[:, :, :1])
    np.testing.assert_array_equal(aligned.labels, TRUTH)
    assert [(cover.id, cover.name) for cover in aligned.classes] == [(1, "soil"), (2, "water")]
    assert sorted(path.name for path in (tmp_path / "new").glob("*.*")) == [
        ".mpmm_cache",
        "height.npy",
        "hsi.npy",
        "labels.npy",
        "rgb.npy",
    ]


def test_xarray_keeps_position_nodata_and_wavelengths(tmp_path):
    values = CUBE.copy()
    values[1, 2, 0] = 65535
    bands = xarray.DataArray([0.45, 0.55, 0.65, 0.85], dims="band", attrs={"units": "um"})
    cube = on_ground(np.moveaxis(values, 2, 0), ("band", "y", "x"), wavelength=bands)
    cube.attrs["_FillValue"] = 65535
    scene = scene_from_arrays(tmp_path, on_ground(TRUTH), {"hsi": cube})
    aligned = scene.align()
    assert aligned.grid.transform == (2.0, 0.0, 500_000.0, 0.0, -3.0, 4_000_000.0)
    assert "33N" in str(aligned.grid.crs)
    present = aligned.modalities["hsi"].present
    assert np.argwhere(~present).tolist() == [[1, 2]]
    np.testing.assert_array_equal(aligned.modalities["hsi"].values[present], values[present])
    assert scene.modalities[0].wavelengths == pytest.approx((450, 550, 650, 850))


def test_rows_from_south_to_north_are_turned(tmp_path):
    cube, truth = on_ground(CUBE[::-1], ("y", "x", "band"), north_up=False), on_ground(TRUTH)
    aligned = scene_from_arrays(tmp_path, truth, {"hsi": cube}).align()
    np.testing.assert_array_equal(aligned.modalities["hsi"].values, CUBE)
    with pytest.raises(SceneError, match="first row is the southernmost, and rgb has no position"):
        scene_from_arrays(tmp_path, truth, {"hsi": cube, "rgb": CUBE})


def test_without_a_position_of_the_labels_rows_stay_as_they_are(tmp_path):
    cube = on_ground(CUBE, ("y", "x", "band"), north_up=False)
    aligned = scene_from_arrays(tmp_path, TRUTH, {"hsi": cube}).align()
    np.testing.assert_array_equal(aligned.modalities["hsi"].values, CUBE)
    assert not aligned.grid.has_position


def test_rioxarrays_own_accessor(tmp_path):
    pytest.importorskip("rioxarray")
    truth = xarray.DataArray(TRUTH, dims=("y", "x"), coords={"y": -np.arange(5.0), "x": np.arange(8.0)})
    truth = truth.rio.write_crs("EPSG:32633").rio.write_nodata(7)
    grid = scene_from_arrays(tmp_path, truth, {"hsi": CUBE}).align().grid
    assert grid.transform == (1.0, 0.0, -0.5, 0.0, -1.0, 0.5)
    assert grid.has_position


def test_the_same_arrays_again_keep_files_and_what_was_aligned(tmp_path):
    def made() -> Scene:
        return scene_from_arrays(tmp_path, on_ground(TRUTH), {"hsi": CUBE})

    made().align()
    changed = [path.stat().st_mtime_ns for path in sorted(tmp_path.glob("*.*"))]
    assert made().inspect().modalities[0].prepared
    assert changed == [path.stat().st_mtime_ns for path in sorted(tmp_path.glob("*.*"))]
    with pytest.raises(SceneError, match=r"hsi\.npy holds another array"):
        scene_from_arrays(tmp_path, on_ground(TRUTH), {"hsi": CUBE + 1})
    np.testing.assert_array_equal(np.load(tmp_path / "hsi.npy"), CUBE)
    assert [path.name for path in tmp_path.glob(".[0-9]*")] == []


@pytest.mark.parametrize(
    ("labels", "hsi", "words"),
    [
        (CUBE, CUBE, "labels: the array has 4 bands"),
        (TRUTH, CUBE[:, 0, 0], r"hsi: an array of shape \(5,\)"),
        (TRUTH, CUBE + 1j, "complex128 is no raster"),
        (TRUTH, xarray.DataArray(CUBE, dims=("a", "b", "c")), "none is y"),
        (TRUTH, xarray.DataArray(CUBE[None], dims=("time", "y", "x", "band")), "are too many"),
        (TRUTH, xarray.Dataset({"a": (("y", "x"), TRUTH)}), "has several arrays: a"),
    ],
)
def test_what_is_no_raster_is_refused_before_anything_is_written(tmp_path, labels, hsi, words):
    with pytest.raises(SceneError, match=words):
        scene_from_arrays(tmp_path / "new", labels, {"hsi": hsi})
    assert not (tmp_path / "new").exists()


def test_uneven_coordinates_are_refused(tmp_path):
    cube = on_ground(CUBE, ("y", "x", "band"))
    cube = cube.assign_coords(x=np.arange(8.0) ** 2)
    with pytest.raises(SceneError, match="coordinates along x are not evenly spaced"):
        scene_from_arrays(tmp_path, TRUTH, {"hsi": cube})
