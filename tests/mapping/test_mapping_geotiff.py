"""The files of a map: what GDAL reads in them, and that their layout is a cloud-optimised GeoTIFF's."""

import struct
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from mapping_examples import classes
from rio_cogeo.cogeo import cog_validate

from mpmm.errors import RunError
from mpmm.mapping import MapRaster, raster_specs, write_geotiff
from mpmm.scene import Grid

COVERS = classes(5)
SIZE = 700, 900


@pytest.fixture(scope="module")
def grid():
    crs = rasterio.crs.CRS.from_epsg(26915).to_wkt()
    return Grid(crs, (0.5, 0.0, 272056.0, 0.0, -0.5, 3290290.0), *SIZE)


@pytest.fixture(scope="module")
def ids():
    chance = np.random.default_rng(0)
    return np.array([0, *(cover.id for cover in COVERS)], np.uint8)[chance.integers(0, 6, (1, *SIZE))]


@pytest.fixture(scope="module")
def written(tmp_path_factory, grid, ids):
    folder = tmp_path_factory.mktemp("written")
    (folder / "scratch").mkdir()
    spec = raster_specs(COVERS)[0]
    raster = MapRaster(spec, ids, grid, COVERS, {"MPMM_RUN": "first"})
    write_geotiff(folder / "map.tif", raster, folder / "scratch")
    return folder


def test_gdal_reads_classes_colours_and_names(written, grid, ids):
    with rasterio.open(written / "map.tif") as file:
        np.testing.assert_array_equal(file.read(), ids)
        assert file.dtypes == ("uint8",)
        assert file.nodata == 0
        assert file.crs.to_epsg() == 26915
        assert tuple(file.transform)[:6] == grid.transform
        colours = file.colormap(1)
        for cover in COVERS:
            assert "#{:02x}{:02x}{:02x}".format(*colours[cover.id][:3]) == cover.color
            assert file.tags(1)[f"CLASS_{cover.id}"] == cover.name
        assert colours[0][3] == 0
        assert file.tags()["MPMM_RUN"] == "first"
        assert file.colorinterp[0] == rasterio.enums.ColorInterp.palette
    sidecar = (written / "map.tif.aux.xml").read_text()
    assert sidecar.count("<Category>") + sidecar.count("<Category/>") + sidecar.count("<Category />") == 14
    assert "<Category>class &lt;4&gt; &amp; more</Category>" in sidecar
    assert sorted(path.name for path in written.iterdir()) == ["map.tif", "map.tif.aux.xml", "scratch"]
    assert list((written / "scratch").iterdir()) == []


def directories(content):
    """(offset of the directory, width, height, tiled, compression, places of its tiles) of each image."""
    assert content[:4] == b"II*\x00"
    offset, images = struct.unpack_from("<I", content, 4)[0], []
    while offset:
        count = struct.unpack_from("<H", content, offset)[0]
        tags = {}
        for entry in range(count):
            tag, kind, number, _ = struct.unpack_from("<HHII", content, offset + 2 + 12 * entry)
            size = {1: 1, 2: 1, 3: 2, 4: 4, 12: 8}.get(kind)
            if size is None:
                continue
            start = offset + 2 + 12 * entry + 8
            if size * number > 4:
                start = struct.unpack_from("<I", content, start)[0]
            form = {3: "H", 4: "I"}.get(kind)
            tags[tag] = struct.unpack_from(f"<{number}{form}", content, start) if form else ()
        images.append((offset, tags[256][0], tags[257][0], tags.get(322), tags[259][0], tags[324]))
        offset = struct.unpack_from("<I", content, offset + 2 + 12 * count)[0]
    return images


def test_the_layout_is_cloud_optimised(written):
    """As cogeo.org asks: tiled, overviews, all directories before all pixels, overviews first."""
    content = (written / "map.tif").read_bytes()
    assert b"LAYOUT=IFDS_BEFORE_DATA" in content[:300]
    images = directories(content)
    sizes = [(width, height) for _, width, height, *_ in images]
    assert len(images) > 1
    assert sizes[0] == (900, 700)
    assert sizes == sorted(sizes, reverse=True)
    assert max(sizes[-1]) <= 256
    assert all(tiled == (256,) and compression == 8 for _, _, _, tiled, compression, _ in images)
    directories_end = max(offset for offset, *_ in images)
    starts = [min(tiles) for *_, tiles in images]
    assert min(starts) > directories_end
    assert starts == sorted(starts, reverse=True)
    with rasterio.open(written / "map.tif") as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


@pytest.mark.parametrize("size", [SIZE, (90, 70)], ids=["overviews", "one tile"])
@pytest.mark.parametrize("which", range(3), ids=["classes", "confidence", "probabilities"])
def test_the_validator_of_the_format_finds_nothing(tmp_path, grid, which, size):
    """`rio cogeo validate --strict`: no error, and no warning either."""
    spec = raster_specs(COVERS, confidence=True, by_class=True)[which]
    values = np.random.default_rng(2).integers(0, 6, (spec.bands, *size), np.uint8)
    part = replace(grid, height=size[0], width=size[1])
    raster = MapRaster(spec, values, part, COVERS, {"MPMM_RUN": "first"})
    write_geotiff(tmp_path / "m.tif", raster, tmp_path)
    assert cog_validate(tmp_path / "m.tif", strict=True, quiet=True) == (True, [], [])


def test_overviews_hold_classes_only(written, ids):
    with rasterio.open(written / "map.tif", overview_level=0) as file:
        assert set(np.unique(file.read())) <= set(np.unique(ids))


def test_probabilities_have_a_scale_and_a_band_a_class(tmp_path, grid):
    spec = raster_specs(COVERS, by_class=True)[1]
    values = np.random.default_rng(1).integers(0, 251, (5, *SIZE), np.uint8)
    values[:, 10:20] = spec.nodata
    write_geotiff(tmp_path / "p.tif", MapRaster(spec, values, grid, COVERS, {}), tmp_path)
    with rasterio.open(tmp_path / "p.tif") as file:
        np.testing.assert_array_equal(file.read(), values)
        assert file.descriptions == tuple(cover.name for cover in COVERS)
        assert file.scales == (0.004,) * 5
        assert file.nodata == 255
    assert not (tmp_path / "p.tif.aux.xml").exists()


def test_wide_ids_and_a_grid_without_coordinates(tmp_path):
    covers = (*COVERS, replace(COVERS[0], id=1000, name="far"))
    spec = raster_specs(covers)[0]
    values = np.array([[[0, 1, 1000], [4, 7, 10]]], np.int16)
    plain = Grid(None, (1, 0, 0, 0, 1, 0), 2, 3)
    write_geotiff(tmp_path / "m.tif", MapRaster(spec, values, plain, covers, {}), tmp_path)
    with rasterio.open(tmp_path / "m.tif") as file:
        np.testing.assert_array_equal(file.read(), values)
        assert file.tags(1)["CLASS_1000"] == "far"


def test_a_folder_that_is_gone_is_one_line_and_the_old_map_stays(tmp_path, grid, ids):
    (tmp_path / "map.tif").write_bytes(b"old")
    raster = MapRaster(raster_specs(COVERS)[0], ids, grid, COVERS, {})
    with pytest.raises(RunError, match="cannot be written"):
        write_geotiff(tmp_path / "map.tif", raster, tmp_path / "missing")
    assert (tmp_path / "map.tif").read_bytes() == b"old"
