"""Text is whatever bytes it is: in configurations, headers, file names and terminals."""

import codecs
import os
import subprocess
import sys

import pytest
from bug_scenes import checked, cube, envi, environment, plain, problem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpmm.errors import ConfigError, SceneError
from mpmm.results import read_json, write_json
from mpmm.scene import Modality, Scene, SourceRecord, grid_like, wavelength
from mpmm.settings import load_config


@pytest.mark.parametrize(
    "saved",
    [
        lambda text: codecs.BOM_UTF8 + text.encode(),
        lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
        lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    ],
    ids=["UTF-8", "UTF-16 little", "UTF-16 big"],
)
def test_configuration_with_a_byte_order_mark_refused(tmp_path, saved):
    """A configuration is saved by Windows Notepad, which puts a byte order mark first.
    It was refused as no TOML, at line 1 and column 1, where nothing can be seen.
    Right: read as it is meant.
    """
    config = plain(tmp_path)
    expected = load_config(config)
    config.write_bytes(saved(config.read_text()))
    assert load_config(config) == expected


@given(st.binary(max_size=60))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_configuration_of_any_bytes_is_read_or_refused(tmp_path, content):
    config = tmp_path / "any.toml"
    config.write_bytes(content)
    with pytest.raises(ConfigError, match=r"any\.toml") as refused:
        load_config(config)
    assert refused.value.hint


def test_envi_header_in_latin_1(tmp_path):
    """An ENVI header names its wavelength units in Latin-1, µm.
    The command ended in a UnicodeDecodeError.
    Right: read, with the wavelengths that the header tells.
    """
    config = plain(tmp_path, files='["img.dat"]')
    lists = "wavelength = {0.4, 0.5, 0.6, 0.7, 0.8,\n 0.9, 1.0, 1.1}\nbbl = {1, 1, 1, 1, 1, 1, 0, 1}"
    envi(tmp_path, cube(), f"wavelength units = µm\n{lists}\ndata gain values = {{{'2, ' * 7}2}}")
    done = checked(config)
    assert done.exit_code == 0
    assert "(400 to 1100 nm)" in done.output
    assert "the file calls bad: 7" in done.output
    assert "own scale 2, offset 0: applied" in done.output


@given(st.lists(st.binary(min_size=1, max_size=8), min_size=8, max_size=8))
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_band_names_of_any_bytes_are_read_or_refused(tmp_path, names):
    listed = ", ".join(name.decode("latin-1") for name in names)
    envi(tmp_path, cube(), f"band names = {{{listed}}}")
    scene = Scene(tmp_path, None, (Modality("hsi", ("img.dat",)),))
    try:
        bands = len(scene.record_of("hsi", grid_like(tmp_path / "img.dat")).bands)
    except SceneError:
        # bytes that break the header's own syntax
        return
    assert bands == 8


LISTS = ("wavelength", "fwhm", "bbl", "data gain values", "data offset values", "wavelength units")


@given(st.dictionaries(st.sampled_from(LISTS), st.binary(min_size=1, max_size=24), min_size=1))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lists_of_any_bytes_in_a_header_are_read_or_refused(tmp_path, lists):
    """Numbers that are none, too many, infinite or in no encoding, in what a header says of its bands."""
    envi(tmp_path, cube(), "\n".join(f"{key} = {{{text.decode('latin-1')}}}" for key, text in lists.items()))
    scene = Scene(tmp_path, None, (Modality("hsi", ("img.dat",)),))
    try:
        bands = scene.record_of("hsi", grid_like(tmp_path / "img.dat")).bands
    except SceneError:
        return
    assert all(band.scale != 0 and band.wavelength != 0 for band in bands)


@given(
    st.lists(
        st.sampled_from(["0", "1", "-1", "nan", "inf", "1e999", "0.0", "", "5e-324", "x"]),
        min_size=8,
        max_size=8,
    )
)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_numbers_of_a_header_leave_values_or_are_refused(tmp_path, numbers):
    """Gains, offsets and wavelengths of the very number of bands, whatever numbers they are."""
    listed = f"{{{', '.join(numbers)}}}"
    envi(tmp_path, cube(), "\n".join(f"{key} = {listed}" for key in LISTS[:5]))
    scene = Scene(tmp_path, None, (Modality("hsi", ("img.dat",)),))
    try:
        record = scene.record_of("hsi", grid_like(tmp_path / "img.dat"))
    except SceneError:
        return
    write_json(tmp_path / "bands.json", record.to_dict())
    assert SourceRecord.from_dict(read_json(tmp_path / "bands.json")) == record


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252:strict"])
def test_terminal_without_the_coloured_square(tmp_path, encoding):
    """The output is not UTF-8: PYTHONIOENCODING, a Latin-1 locale, a pipe on another system.
    The coloured square of the tables ended the command in a UnicodeEncodeError.
    Right: another sign for it, and exit code 0.
    """
    config = plain(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "mpmm", "check", str(config)],
        env=environment(PYTHONIOENCODING=encoding),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"class 2" in done.stdout
    assert b"?" in done.stdout


def test_file_name_that_is_not_utf_8(tmp_path):
    """A pattern finds a file whose name is in Latin-1, as old archives unpack it.
    GDAL's binding takes names in UTF-8 alone, and the command ended in a UnicodeEncodeError.
    Right: refused in one line that shows the name.
    """
    config = plain(tmp_path, files='["h*.tif"]')
    os.rename(tmp_path / "hsi.tif", os.fsencode(tmp_path) + b"/hsi \xb5.tif")
    assert "\\xb5" in problem(checked(config))


def test_json_with_bytes_of_a_command_line(tmp_path):
    """A run is started with a folder whose name is not UTF-8; its environment.json keeps the command line.
    Writing that ended in a UnicodeEncodeError.
    Right: kept so that reading gives the very same name.
    """
    argument = os.fsdecode(b"runs/\xb5")
    write_json(tmp_path / "environment.json", {"command": [argument, "µ"]})
    assert read_json(tmp_path / "environment.json") == {"command": [argument, "µ"]}


@pytest.mark.parametrize(("name", "nanometres"), [("0.4 µm", 400.0), ("0.4 �m", None)])
def test_micrometres_in_either_encoding(name, nanometres):
    assert wavelength(name) == nanometres


def test_channels_without_a_wavelength_can_be_trained_on(tmp_path):
    """An ENVI header gives its last two channels, which are no light, wavelengths of 0, as DFC2018's does.
    GDAL writes "(0.0 Nanometers)" into their names, and what a run keeps of its bands was refused as damaged.
    Right: of these channels no wavelength is known.
    """
    values = cube()
    lengths = [400.0 + 10 * i for i in range(len(values) - 2)] + [0.0, 0.0]
    told = f"wavelength units = Nanometers\nwavelength = {{{', '.join(map(str, lengths))}}}"
    config = plain(tmp_path, files='["img.dat"]')
    envi(tmp_path, values, told)
    scene = load_config(config).scene
    record = scene.record_of("hsi", scene.grid())
    assert SourceRecord.from_dict(record.to_dict()) == record
    assert [band.wavelength for band in record.bands] == [*lengths[:-2], None, None]


def test_words_of_gdal_that_are_not_utf_8_are_told_once(tmp_path):
    """A VRT has a byte that is not UTF-8 in a word GDAL quotes when it refuses the file.
    Before the refusal came a traceback of rasterio, whose log takes GDAL's words for UTF-8.
    Right: the refusal, in one line and a hint.
    """
    config = plain(tmp_path, files='["bad.vrt"]')
    head = b'<VRTDataset rasterXSize="48" rasterYSize="48"><VRTRasterBand dataType="UInt\xc2" band="1"/>'
    (tmp_path / "bad.vrt").write_bytes(head + b"</VRTDataset>")
    words = [sys.executable, "-m", "mpmm", "check", str(config)]
    done = subprocess.run(words, env=environment(), capture_output=True, timeout=120, check=False)
    said = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert [line.split(":")[0] for line in said] == ["error", "hint"]
    assert "bad.vrt" in said[0]


def test_a_name_with_a_line_break_is_told_in_one_line(tmp_path):
    """A VRT, damaged or not, names a file with a line break in its name, which is not there.
    The refusal broke off in the middle of the name and went on in a second line.
    Right: one line, with the break as an escape.
    """
    config = plain(tmp_path, files='["gone.vrt"]')
    source = (
        "<SimpleSource><SourceFilename>im\n g.tif</SourceFilename><SourceBand>1</SourceBand></SimpleSource>"
    )
    band = f'<VRTRasterBand dataType="UInt16" band="1">{source}</VRTRasterBand>'
    head = '<VRTDataset rasterXSize="48" rasterYSize="48"><SRS>EPSG:32632</SRS>'
    head += "<GeoTransform>500000,1,0,5000000,0,-1</GeoTransform>"
    (tmp_path / "gone.vrt").write_text(f"{head}{band}</VRTDataset>")
    assert "im\\n g.tif" in problem(checked(config))
