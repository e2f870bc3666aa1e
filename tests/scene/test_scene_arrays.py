"""MATLAB cubes and NumPy arrays are rasters like any other: same values, labels, errors, caches."""

import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from rasterio.windows import Window
from roi_files import write_rois
from scipy.io import savemat

from mpmm.errors import SceneError
from mpmm.scene import Labels, Modality, Scene, interleaved, read_part_labels, scene_files
from mpmm.scene.array_names import array_name
from mpmm.scene.interleaved import read_at
from mpmm.scene.raster import open_dataset, read_window

ROWS, COLUMNS, BANDS = 6, 9, 4
CUBE = np.random.default_rng(0).integers(0, 4000, (ROWS, COLUMNS, BANDS), dtype=np.uint16)
TRUTH = np.arange(ROWS * COLUMNS, dtype=np.uint8).reshape(ROWS, COLUMNS) % 4


def matlab_5(path, **arrays):
    savemat(path, arrays, do_compression=True)


def matlab_5_plain(path, **arrays):
    savemat(path, arrays)


def matlab_73(path, **arrays):
    """As MATLAB writes it: its own header before HDF5's, the last dimension first, a class a variable."""
    names = {"float64": "double", "float32": "single", "bool": "logical"}
    with h5py.File(path, "w", userblock_size=512) as root:
        for name, array in arrays.items():
            item = root.create_dataset(name, data=array.T, chunks=True, compression="gzip")
            item.attrs["MATLAB_class"] = np.bytes_(names.get(array.dtype.name, array.dtype.name))
        root.create_group("#refs#")
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


def plain_hdf5(path, **arrays):
    """As h5py writes it under a MATLAB file's name: dimensions in their own order."""
    with h5py.File(path, "w") as root:
        for name, array in arrays.items():
            root[name] = array


def numpy_archive(path, **arrays):
    np.savez_compressed(path, **arrays)


WRITERS = {
    "mat5": (matlab_5, "mat"),
    "mat5-plain": (matlab_5_plain, "mat"),
    "mat73": (matlab_73, "mat"),
    "hdf5": (plain_hdf5, "mat"),
    "npz": (numpy_archive, "npz"),
}


@pytest.fixture(params=WRITERS)
def written(request, tmp_path):
    """Write arrays into one file of a kind; its name."""
    write, ending = WRITERS[request.param]

    def file(stem, **arrays):
        write(tmp_path / f"{stem}.{ending}", **arrays)
        return f"{stem}.{ending}"

    return file


def scene_of(folder, cube, truth, **options):
    return Scene(folder, Labels(truth), (Modality("hsi", (cube,), **options),))


def test_cube_and_labels_in_files_of_their_own(tmp_path, written):
    cube, truth = written("cube", cube=CUBE), written("truth", truth=TRUTH)
    aligned = scene_of(tmp_path, cube, truth).align()
    np.testing.assert_array_equal(aligned.modalities["hsi"].values, CUBE)
    np.testing.assert_array_equal(aligned.labels, TRUTH)
    assert aligned.modalities["hsi"].present.all()
    assert not aligned.grid.has_position


def test_of_one_file_the_cube_and_the_labels_follow_from_their_dimensions(tmp_path, written):
    both = written("both", map=TRUTH, data=CUBE, wavelengths=np.arange(4.0)[None])
    aligned = scene_of(tmp_path, both, both).align()
    np.testing.assert_array_equal(aligned.modalities["hsi"].values, CUBE)
    np.testing.assert_array_equal(aligned.labels, TRUTH)


def test_a_variable_is_named_behind_the_file(tmp_path, written):
    several = written("several", raw=CUBE, corrected=CUBE // 2, train=TRUTH, all=TRUTH[::-1])
    aligned = scene_of(tmp_path, f"{several}:corrected", f"{several}:all", bands=(4, 2)).align()
    np.testing.assert_array_equal(aligned.modalities["hsi"].values, (CUBE // 2)[:, :, [3, 1]])
    np.testing.assert_array_equal(aligned.labels, TRUTH[::-1])


def test_several_arrays_are_listed_with_their_shapes(tmp_path, written):
    several, truth = written("several", raw=CUBE, corrected=CUBE), written("truth", t=TRUTH)
    with pytest.raises(SceneError, match=r"several arrays: .*raw \(6 x 9 x 4\)") as caught:
        scene_of(tmp_path, several, truth).align()
    assert f"{several}:" in caught.value.hint
    with pytest.raises(SceneError, match="has no array 'cube'") as caught:
        scene_of(tmp_path, f"{several}:cube", truth).align()
    assert "corrected (6 x 9 x 4)" in caught.value.hint
    assert not (tmp_path / ".mpmm_cache").exists()


def test_a_file_without_an_image_is_refused(tmp_path, written):
    name = written("list", numbers=np.arange(5.0)[None])
    with pytest.raises(SceneError, match="no array of real numbers"):
        scene_of(tmp_path, name, name).align()


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint32", "int64", "uint64", "float64", "bool"])
def test_labels_of_any_type(tmp_path, written, kind):
    truth = (TRUTH % 2).astype(kind) if kind == "bool" else TRUTH.astype(kind)
    name = written("truth", truth=truth)
    labels = Scene(tmp_path, Labels(name), ()).read_labels()
    np.testing.assert_array_equal(labels.ids, truth)


def test_complex_numbers_are_refused(tmp_path):
    matlab_5(tmp_path / "cube.mat", cube=CUBE + 1j)
    matlab_5(tmp_path / "truth.mat", truth=TRUTH)
    with pytest.raises(SceneError, match="complex128, not real numbers"):
        scene_of(tmp_path, "cube.mat", "truth.mat").align()


@pytest.mark.parametrize("kind", ["<u2", ">i4", "<f4", ">f8", "f2", "i1", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_of_any_type_and_order(tmp_path, kind, order):
    array = np.asarray(CUBE % 100, np.dtype(kind), order=order)
    np.save(tmp_path / "cube.npy", array)
    np.save(tmp_path / "truth.npy", TRUTH)
    aligned = scene_of(tmp_path, "cube.npy", "truth.npy").align()
    np.testing.assert_array_equal(aligned.modalities["hsi"].values, array.astype(np.float32))


def test_values_that_are_no_numbers_are_missing(tmp_path):
    values = CUBE.astype(np.float64)
    values[2, 3, 1] = np.nan
    matlab_73(tmp_path / "cube.mat", cube=values)
    matlab_5(tmp_path / "truth.mat", truth=TRUTH)
    present = scene_of(tmp_path, "cube.mat", "truth.mat").align().modalities["hsi"].present
    assert np.argwhere(~present).tolist() == [[2, 3]]


def test_an_array_lies_over_labels_that_have_a_position(tmp_path, write_raster):
    write_raster("labels.tif", TRUTH)
    np.save(tmp_path / "cube.npy", CUBE[::2, ::3])
    aligned = scene_of(tmp_path, "cube.npy", "labels.tif", resampling="nearest").align()
    assert aligned.grid.has_position
    expected = np.repeat(np.repeat(CUBE[::2, ::3], 2, 0), 3, 1)
    np.testing.assert_array_equal(aligned.modalities["hsi"].values, expected)


def test_a_changed_file_is_aligned_again(tmp_path, written):
    cube, truth = written("cube", cube=CUBE), written("truth", truth=TRUTH)
    scene = scene_of(tmp_path, cube, truth)
    scene.align()
    (first,) = tmp_path.glob(".mpmm_cache/hsi*/ready.json")
    status = (tmp_path / cube).stat()
    written("cube", cube=CUBE + 1)
    os.utime(tmp_path / cube, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))
    np.testing.assert_array_equal(scene.align().modalities["hsi"].values, CUBE + 1)
    assert first in tmp_path.glob(".mpmm_cache/hsi*/ready.json")


def test_the_same_variable_by_name_or_alone_is_aligned_once(tmp_path):
    matlab_5(tmp_path / "cube.mat", cube=CUBE)
    matlab_5(tmp_path / "truth.mat", truth=TRUTH)
    for name in ("cube.mat", "cube.mat:cube", str(tmp_path / "cube.mat")):
        scene_of(tmp_path, name, "truth.mat").align()
    assert len([*tmp_path.glob(".mpmm_cache/hsi*/ready.json")]) == 1


def test_a_moved_scene_keeps_its_cache(tmp_path):
    home = tmp_path / "a"
    home.mkdir()
    matlab_5(home / "both.mat", cube=CUBE, truth=TRUTH)
    scene_of(home, "both.mat", "both.mat").align()
    shutil.copytree(home, tmp_path / "b", copy_function=shutil.copy2)
    report = scene_of(tmp_path / "b", "both.mat:cube", "both.mat").inspect()
    assert report.modalities[0].prepared


def test_arrays_are_matched_by_patterns_and_stacked(tmp_path):
    for i in range(BANDS):
        np.save(tmp_path / f"band{i}.npy", CUBE[:, :, i])
    np.save(tmp_path / "truth.npy", TRUTH)
    aligned = scene_of(tmp_path, "*.npy", "truth.npy", stack=True).align()
    np.testing.assert_array_equal(aligned.modalities["hsi"].values, CUBE)
    assert aligned.modalities["hsi"].band_names[1] == "band1 band 1"


def test_labels_of_a_part_may_be_an_array(tmp_path, write_raster):
    write_raster("labels.tif", TRUTH)
    part = np.where(np.arange(COLUMNS) < 4, TRUTH, 0)
    matlab_5(tmp_path / "split.mat", train=part, test=TRUTH - part)
    write_raster("hsi.tif", CUBE.transpose(2, 0, 1))
    scene = scene_of(tmp_path, "hsi.tif", "labels.tif")
    labels = scene.read_labels()
    ids = read_part_labels(scene, "split.mat:train", labels.classes, labels.grid)
    np.testing.assert_array_equal(np.maximum(ids, 0), part)


def test_the_labels_are_no_modality(tmp_path):
    matlab_5(tmp_path / "both.mat", truth=TRUTH, cube=CUBE)
    with pytest.raises(SceneError, match="is the label raster"):
        scene_of(tmp_path, "both.mat:truth", "both.mat").align()
    train = scene_of(tmp_path, "both.mat:truth", "both.mat:truth")
    matlab_5(tmp_path / "train.mat", truth=TRUTH)
    with pytest.raises(SceneError, match="is a label raster"):
        read_part_labels(
            scene_of(tmp_path, "train.mat", "both.mat:truth"),
            "train.mat",
            train.read_labels().classes,
            train.grid(),
        )


@pytest.mark.parametrize("ending", ["mat", "npy", "npz"])
def test_damaged_files_are_one_line(tmp_path, ending):
    whole = tmp_path / f"whole.{ending}"
    {"mat": lambda: matlab_5(whole, a=CUBE), "npy": lambda: np.save(whole, CUBE)}.get(
        ending, lambda: numpy_archive(whole, a=CUBE)
    )()
    np.save(tmp_path / "truth.npy", TRUTH)
    for size in (0, 100, whole.stat().st_size * 2 // 3):
        (tmp_path / f"cut.{ending}").write_bytes(whole.read_bytes()[:size])
        with pytest.raises(SceneError, match=r"hsi: .*cut\.\w+ (cannot be read|holds no array)") as caught:
            scene_of(tmp_path, f"cut.{ending}", "truth.npy").inspect()
        assert "\n" not in caught.value.problem
    with pytest.raises(SceneError, match="is missing"):
        scene_of(tmp_path, f"none.{ending}:a", "truth.npy").align()


def test_a_page_saved_under_the_name_is_told(tmp_path):
    (tmp_path / "cube.mat").write_bytes(b"<!DOCTYPE html><html><body>Please log in</body></html>".ljust(300))
    np.save(tmp_path / "truth.npy", TRUTH)
    with pytest.raises(SceneError, match=r"hsi: .*cube\.mat is a web page, not a raster"):
        scene_of(tmp_path, "cube.mat", "truth.npy").inspect()


def test_the_files_of_arrays_are_inputs(tmp_path):
    matlab_5(tmp_path / "both.mat", truth=TRUTH, cube=CUBE)
    scene = scene_of(tmp_path, "both.mat:cube", "both.mat:truth")
    assert set(scene_files(scene)) == {tmp_path / "both.mat"}


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    matlab_73(tmp_path / "both.mat", truth=TRUTH, cube=CUBE)
    scene_of(tmp_path, "both.mat", "both.mat").inspect()
    assert [*(tmp_path / "tmp").iterdir()] == []


def full_disk(prefix):
    """A file that can be opened and not be written to."""
    return Path("/dev/full").open("r+b", buffering=0)


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    matlab_5(tmp_path / "both.mat", truth=TRUTH, cube=CUBE)
    monkeypatch.setattr("tempfile.TemporaryFile", full_disk)
    with pytest.raises(SceneError, match=r"has no room for .*both\.mat, .*No space left") as caught:
        scene_of(tmp_path, "both.mat", "both.mat").align()
    assert "TMPDIR" in caught.value.hint


def test_a_large_hdf5_cube_is_unpacked_in_slabs(tmp_path, monkeypatch):
    monkeypatch.setattr("mpmm.scene.array_rasters._SLAB_BYTES", 2 * ROWS * COLUMNS * 3)
    matlab_73(tmp_path / "both.mat", truth=TRUTH, cube=CUBE)
    np.testing.assert_array_equal(
        scene_of(tmp_path, "both.mat", "both.mat").align().modalities["hsi"].values, CUBE
    )


def test_windows_are_read_from_the_npy_file_itself(tmp_path):
    np.save(tmp_path / "cube.npy", CUBE)
    with open_dataset(tmp_path / "cube.npy", "hsi") as dataset:
        window = dataset.read([3], window=Window(2, 1, 3, 2))
    np.testing.assert_array_equal(window[0], CUBE[1:3, 2:5, 2])


@pytest.mark.parametrize("slab", [1, 5 * COLUMNS * BANDS, 2**20])
def test_bands_beside_each_other_are_read_together(tmp_path, monkeypatch, slab):
    """A cube of bands last was read once for each of its bands, all of it, which took forty times as long."""
    np.save(tmp_path / "cube.npy", CUBE.astype(">u2"))
    np.save(tmp_path / "truth.npy", TRUTH)
    parts = []

    def counted(stream, offset, count):
        parts.append((offset, count))
        return read_at(stream, offset, count)

    monkeypatch.setattr(interleaved, "SLAB_BYTES", slab)
    monkeypatch.setattr(interleaved, "read_at", counted)
    with open_dataset(tmp_path / "cube.npy", "hsi") as dataset:
        whole = dataset.read([4, 2], window=Window(0, 1, COLUMNS, ROWS - 1))
        np.testing.assert_array_equal(whole, CUBE[1:, :, [3, 1]].transpose(2, 0, 1))
        # behind each other, each byte once, and no more at a time than a slab or a row
        row = COLUMNS * BANDS * 2
        ends = [offset + count for offset, count in parts]
        assert [offset for offset, _ in parts] == [parts[0][0], *ends[:-1]]
        assert sum(count for _, count in parts) == (ROWS - 1) * row
        assert max(count for _, count in parts) <= max(slab, row)
        assert len(parts) == -(-(ROWS - 1) // max(1, slab // row))
        parts.clear()
        part = dataset.read([1, 2, 3, 4], window=Window(2, 1, 3, 4))
        np.testing.assert_array_equal(part, CUBE[1:5, 2:5].transpose(2, 0, 1))
        assert [count for _, count in parts] == [3 * BANDS * 2] * 4
    cut = (tmp_path / "cube.npy").read_bytes()[:-7]
    with open_dataset(tmp_path / "cube.npy", "hsi") as dataset:
        (tmp_path / "cube.npy").write_bytes(cut)
        with pytest.raises(SceneError, match=r"hsi: .* ends before row 6"):
            read_window(dataset, [1], Window(0, 0, COLUMNS, ROWS), "hsi")


@pytest.mark.parametrize("order", ["C", "F"])
def test_dimensions_may_begin_with_the_bands(tmp_path, written, order):
    first = np.asarray(np.moveaxis(CUBE, 2, 0), order=order)
    np.save(tmp_path / "cube.npy", first)
    np.save(tmp_path / "truth.npy", TRUTH)
    names = ["cube.npy:bands-first", f"{written('cube', a=first, b=first)}:b:bands-first"]
    for name in names:
        aligned = scene_of(tmp_path, name, "truth.npy").align()
        np.testing.assert_array_equal(aligned.modalities["hsi"].values, CUBE)


def test_labels_may_be_the_largest_band(tmp_path, written):
    shares = np.random.default_rng(1).random((ROWS, COLUMNS, 3))
    name = written("shares", a=shares, truth=TRUTH)
    ids = Scene(tmp_path, Labels(f"{name}:largest"), ()).read_labels().ids
    np.testing.assert_array_equal(ids, shares.argmax(axis=2) + 1)


@pytest.mark.parametrize(
    ("name", "variable", "view"),
    [
        ("a/scene.mat", None, None),
        ("scene.MAT:cube", "cube", None),
        ("scene.mat:cube:bands-first", "cube", "bands-first"),
        ("p.npy:largest", None, "largest"),
        ("two.v7.3.mat:largest_area", "largest_area", None),
    ],
)
def test_names_are_taken_apart(name, variable, view):
    array = array_name(name)
    assert (array.variable, array.view) == (variable, view)
    assert str(array.file) + array.within == name


@pytest.mark.parametrize(
    "name", ["scene.tif", 'HDF5:"scene.mat"://cube', "mat", "scene.mat.tif", "scene.mat:"]
)
def test_other_names_are_no_arrays(name):
    assert array_name(name) is None


def test_labels_may_be_regions_of_interest_as_envi_writes_them(tmp_path):
    np.save(tmp_path / "cube.npy", CUBE)
    names = ["grass_healthy", "grass_stressed", "tree"]
    write_rois(tmp_path / "samples.txt", TRUTH, names)
    scene = scene_of(tmp_path, "cube.npy", "samples.txt:rois")
    np.testing.assert_array_equal(scene.align().labels, TRUTH)
    write_rois(tmp_path / "part.txt", np.where(TRUTH == 2, 2, 0), names, "; ID  X  Y")
    ids = read_part_labels(scene, "part.txt:rois", scene.align().classes, scene.grid())
    np.testing.assert_array_equal(ids, np.where(TRUTH == 2, 2, -1))
    assert tmp_path / "samples.txt" in {*scene_files(scene)}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("npts: 14", "npts: 13", r"say that they have 39 pixels, 40 are listed"),
        ("; File Dimension", "; Size", "it has no line '; File Dimension: COLUMNS x ROWS'"),
        ("     1    2    1", "     1   99    1", r"pixel X = 99, Y = 1 lies outside of the raster"),
        ("     1    2    1", "     1    3    1", r"pixel X = 3, Y = 1 lies in two regions"),
        (";   ID    X    Y", ";   ID    A    B", "names the columns X and Y"),
    ],
)
def test_regions_that_contradict_themselves_are_refused(tmp_path, old, new, problem):
    np.save(tmp_path / "cube.npy", CUBE)
    write_rois(tmp_path / "samples.txt", TRUTH, ["a", "b", "c"], ";   ID    X    Y")
    text = (tmp_path / "samples.txt").read_text()
    assert old in text
    (tmp_path / "samples.txt").write_text(text.replace(old, new, 1))
    with pytest.raises(SceneError, match=problem):
        scene_of(tmp_path, "cube.npy", "samples.txt:rois").align()
