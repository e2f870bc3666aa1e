"""Files that hold several rasters, and the names that GDAL has for what is within."""

import gzip
import os
import subprocess
import sys
import warnings
import zipfile

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from bug_scenes import SIDE, checked, cube, environment, labels, plain, problem, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.errors import NotGeoreferencedWarning

from mpmm.errors import SceneError
from mpmm.scene import Labels, Modality, Scene, grid_like
from mpmm.scene.containers import file_behind, inner_name


@pytest.fixture
def folder(tmp_path):
    """The plain scene, and its cube in a netCDF, an HDF5, a zip archive and a gzip file."""
    plain(tmp_path)
    with rasterio.open(tmp_path / "hsi.tif") as dataset:
        rasterio.shutil.copy(dataset, tmp_path / "hsi.nc", driver="netCDF", FORMAT="NC4")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(tmp_path / "hsi.tif", "in/hsi.tif")
        archive.write(tmp_path / "labels.tif", "labels.tif")
    (tmp_path / "hsi.tif.gz").write_bytes(gzip.compress((tmp_path / "hsi.tif").read_bytes()))
    return tmp_path


def refused(config, name: str) -> str:
    config.write_text(config.read_text().replace('["hsi.tif"]', f"['{name}']"))
    return problem(checked(config))


def values(folder, *files, **options):
    scene = Scene(folder, Labels("labels.tif"), (Modality("hsi", files, **options),))
    return scene.align().modalities["hsi"].values.transpose(2, 0, 1)


@pytest.mark.parametrize("name", ["hsi.nc", "hsi.h5"])
def test_container_was_said_to_have_no_position(folder, name):
    """A modality is a netCDF or HDF5 of several variables, as EMIT, PRISMA and NEON come.
    The error told of a missing geotransform, and of gdal_translate.
    Right: it holds eight subdatasets, these are named, and how to choose.
    """
    os.link(folder / "hsi.nc", folder / "hsi.h5")
    line = refused(folder / "scene.toml", name)
    assert "holds 8 subdatasets: Band1, Band2," in line
    assert f"{name}:" in line or f'{name}":' in line


@pytest.mark.parametrize(
    "name",
    ['NETCDF:"hsi.nc":Band3', "netcdf:hsi.nc:Band3", 'NETCDF:"{}/hsi.nc":Band3', "netcdf:{}/hsi.nc:Band3"],
)
def test_subdataset_of_a_netcdf(folder, name):
    """A modality names one variable of a netCDF by GDAL's name for it.
    It was taken for a file of that name, which is missing.
    Right: it is read.
    """
    np.testing.assert_array_equal(values(folder, name.format(folder)), cube()[2:3])


def test_subdatasets_as_bands(folder):
    names = [f'NETCDF:"hsi.nc":Band{band}' for band in (8, 1, 3)]
    np.testing.assert_array_equal(values(folder, *names, stack=True), cube()[[7, 0, 2]])


def test_subdataset_of_an_hdf5(folder):
    # GDAL's driver gives these no position: they are taken as they lie in the file, first row first
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(f'HDF5:"{folder}/hsi.nc"://Band3') as dataset:
            expected = dataset.read()
    read = values(folder, 'HDF5:"hsi.nc"://Band3', position="none")
    np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize(
    "name",
    [
        "/vsizip/x.zip/in/hsi.tif",
        "/vsizip/{x.zip}/in/hsi.tif",
        "/vsizip/{}/x.zip/in/hsi.tif",
        "zip://x.zip!in/hsi.tif",
        "zip://x.zip!/in/hsi.tif",
        "/vsigzip/hsi.tif.gz",
        "/vsigzip/{}/hsi.tif.gz",
        "file://{}/hsi.tif",
    ],
)
def test_raster_in_an_archive(folder, name, monkeypatch):
    monkeypatch.chdir(folder.parent)
    np.testing.assert_array_equal(values(folder, name.replace("{}", str(folder))), cube())


def test_what_lies_in_a_container_changes_with_it(folder):
    np.testing.assert_array_equal(values(folder, "/vsizip/x.zip/in/hsi.tif"), cube())
    write(folder / "hsi.tif", cube() + np.uint16(7))
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        archive.write(folder / "hsi.tif", "in/hsi.tif")
    np.testing.assert_array_equal(values(folder, "/vsizip/x.zip/in/hsi.tif"), cube() + 7)


def test_raster_in_an_archive_under_a_vrt(folder):
    """A VRT draws on a raster in an archive, and the archive is replaced.
    GDAL's names were not followed, and training went on with the old values.
    Right: the modality is aligned anew.
    """
    rect = f'xOff="0" yOff="0" xSize="{SIDE}" ySize="{SIDE}"'
    source = (
        f"<SourceFilename>/vsizip/{{{folder}/x.zip}}/in/hsi.tif</SourceFilename><SourceBand>1</SourceBand>"
    )
    (folder / "a.vrt").write_text(
        f'<VRTDataset rasterXSize="{SIDE}" rasterYSize="{SIDE}"><SRS>EPSG:32632</SRS>'
        "<GeoTransform>500000,1,0,5000000,0,-1</GeoTransform>"
        f'<VRTRasterBand dataType="UInt16" band="1"><SimpleSource>{source}<SrcRect {rect}/><DstRect {rect}/>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    np.testing.assert_array_equal(values(folder, "a.vrt"), cube()[:1])
    write(folder / "hsi.tif", cube() + np.uint16(7))
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        archive.write(folder / "hsi.tif", "in/hsi.tif")
    np.testing.assert_array_equal(values(folder, "a.vrt"), cube()[:1] + 7)


def test_labels_in_an_archive_beside_a_modality_in_it(folder):
    modality = Modality("hsi", ("/vsizip/x.zip/in/hsi.tif",))
    aligned = Scene(folder, Labels("/vsizip/x.zip/labels.tif"), (modality,)).align()
    np.testing.assert_array_equal(aligned.labels, labels())
    same = Modality("hsi", ("zip://x.zip!labels.tif",))
    with pytest.raises(SceneError, match="is the label raster"):
        Scene(folder, Labels("/vsizip/x.zip/labels.tif"), (same,)).align()


def test_a_scene_is_moved_with_its_containers(folder, monkeypatch):
    """What is aligned is found again where a scene and its cache have moved."""
    values(folder, "/vsizip/x.zip/in/hsi.tif", 'NETCDF:"hsi.nc":Band3', stack=True)
    moved = folder.with_name("moved")
    folder.rename(moved)
    monkeypatch.setattr("mpmm.scene.mosaic.MosaicReader.read", None)
    values(moved, "/vsizip/x.zip/in/hsi.tif", 'NETCDF:"hsi.nc":Band3', stack=True)


def test_grid_of_a_raster_in_an_archive(folder):
    assert grid_like(folder / "hsi.tif") == grid_like(inner_name(folder, "/vsizip/x.zip/in/hsi.tif").path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ('NETCDF:"gone.nc":Band3', "gone.nc is missing"),
        ('NETCDF:"hsi.nc":Band9', "cannot be opened as a raster"),
        ("/vsizip/x.zip/in/gone.tif", "cannot be opened as a raster"),
        ("/vsizip/gone.zip/in/hsi.tif", "is missing"),
        ("https://example.org/hsi.tif", "lies on another machine"),
        ("/vsicurl/https://example.org/hsi.tif", "lies on another machine"),
        ("/vsizip/vsicurl/https://example.org/x.zip/hsi.tif", "lies on another machine"),
        ("s3://bucket/hsi.tif", "lies on another machine"),
        ("NOTHING:hsi:tif", "is missing"),
        ("x.zip", "is a zip archive"),
    ],
)
def test_names_that_mean_nothing_here(folder, name, said):
    assert said in refused(folder / "scene.toml", name)


def test_pages_of_a_tiff_after_the_first(folder):
    """A TIFF holds bands as pages, as microscopes and some label tools write them.
    The first page was read, the others were left out without a word.
    Right: they are named; any of them can be chosen.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        for append in ("NO", "YES"):
            with rasterio.open(folder / "hsi.tif") as dataset:
                rasterio.shutil.copy(dataset, folder / "pages.tif", driver="GTiff", APPEND_SUBDATASET=append)
    assert "holds 2 subdatasets" in refused(folder / "scene.toml", "pages.tif")
    np.testing.assert_array_equal(values(folder, "GTIFF_DIR:2:pages.tif"), cube())


@given(st.text(st.sampled_from('/:"{}!.%avsizipNETCDF '), max_size=24))
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_name_is_a_file_or_a_line(tmp_path, name):
    (tmp_path / "a").mkdir(exist_ok=True)
    try:
        inner = inner_name(tmp_path, name)
    except SceneError:
        return
    if inner is not None and inner.file.is_file():
        assert file_behind(inner.path).samefile(inner.file)


# each in a process of its own, for the library's settings are a process's; imports are made once
CHECK_EACH = """
import os, sys
from mpmm.commands import check, main

for config in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        sys.argv[1:] = ["check", config]
        main()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.write(2, f"ended with {code}\\n".encode())
"""


def test_a_damaged_container_is_told_of_once(folder):
    """A netCDF or HDF5 file is cut short, or its structure overwritten.
    The HDF5 library in GDAL wrote forty lines of its own to the terminal, then our refusal came.
    Right: the refusal, with that library's reason.
    """
    config, whole = folder / "scene.toml", (folder / "hsi.nc").read_bytes()
    configs = []
    for file, damaged in (("short.nc", whole[:3000]), ("overwritten.nc", whole[:48] + b"\xff" * 900)):
        (folder / file).write_bytes(damaged)
        for name in (file, f"NETCDF:{file}:Band1"):
            configs.append(folder / f"{len(configs)}.toml")
            configs[-1].write_text(config.read_text().replace('"hsi.tif"', f'"{name}"'))
    words = [sys.executable, "-c", CHECK_EACH, *map(str, configs)]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done
    said = done.stderr.splitlines()
    assert [line.split(":")[0] for line in said] == ["error", "hint", "ended with 1"] * 4
    for line, file in zip(said[::3], ("short", "short", "overwritten", "overwritten"), strict=True):
        assert f"{file}.nc cannot be opened as HDF5: " in line
