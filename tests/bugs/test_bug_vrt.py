"""VRTs of every kind are followed to the files at their end."""

import numpy as np
import pytest
from bug_scenes import BANDS, SIDE, checked, cube, labels, plain, problem, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpmm.errors import SceneError
from mpmm.scene import Labels, Modality, Scene
from mpmm.scene.vrt import is_vrt, vrt_sources

GROUND = "<SRS>EPSG:32632</SRS><GeoTransform>500000,1,0,5000000,0,-1</GeoTransform>"
HEAD = f'<VRTDataset rasterXSize="{SIDE}" rasterYSize="{SIDE}"'


def mosaic(path, source):
    """A VRT that takes its bands from a raster beside it."""
    rect = f'xOff="0" yOff="0" xSize="{SIDE}" ySize="{SIDE}"'
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{band}"><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">{source}</SourceFilename><SourceBand>{band}</SourceBand>'
        f"<SrcRect {rect}/><DstRect {rect}/></SimpleSource></VRTRasterBand>"
        for band in range(1, BANDS + 1)
    )
    path.write_text(f"{HEAD}>{GROUND}{bands}</VRTDataset>")


def raw(path, source):
    """A VRT over a headerless file beside it, its lines from the last to the first."""
    size = 2 * SIDE * SIDE
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{band}" subClass="VRTRawRasterBand">'
        f'<SourceFilename relativeToVRT="1">{source}</SourceFilename>'
        f"<ImageOffset>{band * size - 2 * SIDE}</ImageOffset><PixelOffset>2</PixelOffset>"
        f"<LineOffset>{-2 * SIDE}</LineOffset><ByteOrder>LSB</ByteOrder></VRTRasterBand>"
        for band in range(1, BANDS + 1)
    )
    path.write_text(f"{HEAD}>{GROUND}{bands}</VRTDataset>")


def warped(path, source):
    """A VRT that GDAL warps from another raster on the fly."""
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{band}" subClass="VRTWarpedRasterBand"/>'
        for band in range(1, BANDS + 1)
    )
    listed = "".join(f'<BandMapping src="{band}" dst="{band}"/>' for band in range(1, BANDS + 1))
    transformer = (
        "<Transformer><GenImgProjTransformer><SrcGeoTransform>500000,1,0,5000000,0,-1</SrcGeoTransform>"
        "<SrcInvGeoTransform>-500000,1,0,5000000,0,-1</SrcInvGeoTransform>"
        "<DstGeoTransform>500000,1,0,5000000,0,-1</DstGeoTransform>"
        "<DstInvGeoTransform>-500000,1,0,5000000,0,-1</DstInvGeoTransform></GenImgProjTransformer></Transformer>"
    )
    options = (
        "<GDALWarpOptions><ResampleAlg>NearestNeighbour</ResampleAlg><WorkingDataType>UInt16</WorkingDataType>"
        f'<SourceDataset relativeToVRT="1">{source}</SourceDataset>{transformer}'
        f"<BandList>{listed}</BandList></GDALWarpOptions>"
    )
    path.write_text(
        f'{HEAD} subClass="VRTWarpedDataset">{GROUND}{bands}<BlockXSize>{SIDE}</BlockXSize>'
        f"<BlockYSize>{SIDE}</BlockYSize>{options}</VRTDataset>"
    )


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "labels.tif", labels())
    write(tmp_path / "hsi.tif", cube())
    (tmp_path / "hsi.bin").write_bytes(cube()[:, ::-1].tobytes())
    return tmp_path


def values(folder, file):
    scene = Scene(folder, Labels("labels.tif"), (Modality("hsi", (file,)),))
    return scene.align().modalities["hsi"].values.transpose(2, 0, 1)


CHAINS = [(mosaic, "hsi.tif"), (raw, "hsi.bin"), (warped, "hsi.tif")]


@pytest.mark.parametrize(("kind", "leaf"), CHAINS, ids=["mosaic", "raw", "warped"])
def test_leaf_replaced_under_vrts_of_vrts(folder, kind, leaf):
    """A raster under a VRT of a VRT is replaced; GDAL lists one level of sources.
    The cache kept the old values, and training went on with them without a word.
    Right: the fingerprint follows sources to the leaves, and the modality is aligned anew.
    """
    kind(folder / "inner.vrt", leaf)
    mosaic(folder / "middle.vrt", "inner.vrt")
    mosaic(folder / "outer.vrt", "middle.vrt")
    np.testing.assert_array_equal(values(folder, "outer.vrt"), cube())
    changed = cube() + np.uint16(20000)
    (folder / leaf).unlink()
    if leaf == "hsi.tif":
        write(folder / leaf, changed)
    else:
        (folder / leaf).write_bytes(changed[:, ::-1].tobytes())
    np.testing.assert_array_equal(values(folder, "outer.vrt"), changed)


@pytest.mark.parametrize(("kind", "leaf"), CHAINS, ids=["mosaic", "raw", "warped"])
@pytest.mark.parametrize("depth", [1, 2])
def test_leaf_missing_under_a_vrt(folder, kind, leaf, depth):
    """One of a VRT's sources is gone.
    The error told of a damaged file, and to copy the VRT again.
    Right: the file that is missing is named, and the VRT that draws on it.
    """
    kind(folder / "a.vrt", leaf)
    mosaic(folder / "b.vrt", "a.vrt")
    (folder / leaf).rename(folder / "gone")
    with pytest.raises(SceneError, match=rf"a\.vrt draws on .*{leaf}, which is missing"):
        values(folder, "ab"[depth - 1] + ".vrt")


@pytest.mark.parametrize(("kind", "leaf"), CHAINS, ids=["mosaic", "raw", "warped"])
@pytest.mark.parametrize("depth", [1, 2])
def test_leaf_cut_short_under_a_vrt(folder, kind, leaf, depth):
    """A file under a VRT was cut short while it was copied; of a raw one GDAL reads the rest as zeros.
    Only the sources of one level were looked at, and of raw ones none.
    Right: refused by the leaf's name, at any depth.
    """
    kind(folder / "a.vrt", leaf)
    mosaic(folder / "b.vrt", "a.vrt")
    content = (folder / leaf).read_bytes()
    (folder / leaf).write_bytes(content[:-1] if leaf == "hsi.bin" else content[: len(content) // 2])
    with pytest.raises(SceneError, match=rf"{leaf} (is cut short|cannot be)"):
        values(folder, "ab"[depth - 1] + ".vrt")


def test_vrts_that_draw_on_each_other_end(folder):
    mosaic(folder / "a.vrt", "b.vrt")
    mosaic(folder / "b.vrt", "a.vrt")
    assert {source.path.name for source in vrt_sources(folder / "a.vrt")} == {"a.vrt", "b.vrt"}


def test_sources_that_are_no_files_are_left_to_gdal(folder):
    for name in ("/vsizip/a.zip/b.tif", 'NETCDF:"f.nc":radiance', "https://example.org/a.tif", ""):
        mosaic(folder / "x.vrt", name)
        assert vrt_sources(folder / "x.vrt") == ()


@given(st.binary(max_size=200))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_after_a_vrts_beginning_are_no_traceback(tmp_path, content):
    path = tmp_path / "x.vrt"
    path.write_bytes(b"<VRTDataset>" + content)
    assert is_vrt(path)
    assert vrt_sources(path) == ()


def test_missing_source_is_one_line_of_the_command(tmp_path):
    config = plain(tmp_path, files='["hsi.vrt"]')
    mosaic(tmp_path / "hsi.vrt", "hsi.tif")
    (tmp_path / "hsi.tif").unlink()
    assert "hsi.tif, which is missing" in problem(checked(config))
