"""Faults that mutated files have shown: each was a traceback, and is read or refused in one line."""

import numpy as np
import pytest
from bug_scenes import cube, envi, labels, plain, write

from mpmm.errors import ConfigError, NetworkError, RunError, SceneError
from mpmm.preparation import spec_of_headers
from mpmm.results import read_split
from mpmm.scene import Labels, Modality, Scene
from mpmm.scene.vrt import vrt_sources
from mpmm.settings import load_config

COLUMNS = "part,row,column,class,id,name\n"
RAW = (
    '<VRTRasterBand dataType="UInt16" band="1" subClass="VRTRawRasterBand"><SourceFilename>x</SourceFilename>'
)


def inspect(folder, name):
    return Scene(folder, Labels("labels.tif"), (Modality("x", (name,)),)).inspect()


@pytest.mark.parametrize(
    ("offsets", "needed"),
    [
        ("<LineOffset>20</LineOffset>", 9 * 20 + 9 * 2 + 2),
        ("<LineOffset>20.5</LineOffset>", 9 * 20 + 9 * 2 + 2),
        ("<LineOffset>1e308</LineOffset>", 9 * 1 + 9 * 2 + 2),
        ("<LineOffset>none</LineOffset>", 9 * 2 + 2),
        ("<PixelOffset>2x</PixelOffset><ImageOffset/>", 9 * 20 + 9 * 2 + 2),
    ],
)
def test_offsets_of_a_raw_vrt_that_are_no_numbers(tmp_path, offsets, needed):
    """A VRT over headerless files has offsets such as "1e308" or "20.5".
    A ValueError told of an invalid literal.
    Right: the whole number that the text begins with, as GDAL reads it.
    """
    vrt = tmp_path / "x.vrt"
    head = '<VRTDataset rasterXSize="10" rasterYSize="10">'
    vrt.write_text(f"{head}{RAW}{offsets}</VRTRasterBand></VRTDataset>")
    assert vrt_sources(vrt)[0].raw_bytes == needed


@pytest.mark.parametrize("corner", ["nan, 5000000", "500000, inf", "1e308, 5000000"])
def test_position_that_is_no_number(tmp_path, corner):
    """An ENVI header has a corner of "nan".
    A ValueError told that NaN cannot be converted.
    Right: refused, by the file's name.
    """
    write(tmp_path / "labels.tif", labels())
    envi(tmp_path, cube(), map_info=f"map info = {{UTM, 1, 1, {corner}, 1e305, 1, 32, North, WGS-84}}")
    with pytest.raises(SceneError, match=r"img\.dat"):
        inspect(tmp_path, "img.dat")


def test_header_offset_that_is_no_number(tmp_path):
    write(tmp_path / "labels.tif", labels())
    header = envi(tmp_path, cube()).with_suffix(".hdr")
    header.write_text(header.read_text().replace("header offset = 0", "header offset = 0}"))
    assert inspect(tmp_path, "img.dat").modalities[0].value_range == (cube().min(), cube().max())


# rasterio's own log of the same words fails too, where no caller can catch it
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_gdals_words_about_bytes_that_are_not_utf_8(tmp_path):
    """A VRT holds a type of a band in other bytes than UTF-8, and GDAL quotes it in its error.
    rasterio took the quotation for UTF-8, and ended in a UnicodeDecodeError.
    Right: refused in one line.
    """
    write(tmp_path / "labels.tif", labels())
    band = b'<VRTRasterBand dataType="\xc2(" band="1"/>'
    (tmp_path / "x.vrt").write_bytes(
        b'<VRTDataset rasterXSize="4" rasterYSize="4">' + band + b"</VRTDataset>"
    )
    with pytest.raises(SceneError, match=r"x\.vrt"):
        inspect(tmp_path, "x.vrt")


@pytest.mark.parametrize(
    "line", ["train,-9223372036854775808,0,0,1,a", 'train,"' + "x" * 200_000 + '",0,0,1,a']
)
def test_split_with_numbers_that_no_scene_has(tmp_path, line):
    (tmp_path / "split.csv").write_text(f"{COLUMNS}{line}\n")
    with pytest.raises(RunError, match="not a split"):
        read_split(tmp_path / "split.csv")


@pytest.mark.parametrize(
    ("key", "value", "layer"),
    [
        ("dense", "[{ units = 99999999999 }]", "dense1 of stream hsi"),
        ("fusion", "[{ units = 99999999999 }]", "dense1 of the fusion"),
        (
            "blocks",
            "[{ filters = 4294967296, kernel = [1, 3, 3], window = [1, 1, 1] }]",
            "conv1 of stream hsi",
        ),
    ],
)
def test_a_network_that_no_memory_holds(tmp_path, key, value, layer):
    """A configuration asks for 99,999,999,999 units.
    A ValueError of NumPy, or a MemoryError, told of an array that is too big.
    Right: refused by the layer's name, before any of it is made.
    """
    with pytest.raises(NetworkError, match=f"^{layer}: .* weights, more than"):
        spec_of_headers(load_config(plain(tmp_path, **{key: value})))


def test_the_paper_sized_network_is_none_of_them(tmp_path):
    config = plain(tmp_path, size="25")
    assert np.prod(spec_of_headers(load_config(config)).streams[0].volumes()[0]) == 8 * 25 * 25


def test_a_source_with_a_name_that_no_disk_holds(tmp_path):
    """A VRT draws on a file whose name has 300 signs.
    Asking the disk for it ended in an OSError.
    Right: the file is missing.
    """
    write(tmp_path / "hsi.tif", cube())
    write(tmp_path / "labels.tif", labels())
    head = '<VRTDataset rasterXSize="48" rasterYSize="48"><VRTRasterBand dataType="UInt16" band="1" '
    name = f'<SourceFilename relativeToVRT="1">{"n" * 300}.dat</SourceFilename>'
    (tmp_path / "long.vrt").write_text(
        f'{head}subClass="VRTRawRasterBand">{name}</VRTRasterBand></VRTDataset>'
    )
    with pytest.raises(SceneError) as refused:
        inspect(tmp_path, "long.vrt")
    assert "nnn.dat, which is missing" in refused.value.problem


@pytest.mark.parametrize("key", ["str", "_a", "tr[aining"])
def test_an_unknown_key_that_looks_like_a_kind_of_value(tmp_path, key):
    """A table is called `str`, or has a bracket in its name.
    The key was left out of the message, which then ended in an IndexError.
    Right: the key is unknown, by its name.
    """
    config = plain(tmp_path)
    config.write_text(config.read_text() + f'\n["{key}"]\nepochs = 1\n')
    with pytest.raises(ConfigError) as refused:
        load_config(config)
    assert f"unknown key '{key}'" in refused.value.problem
