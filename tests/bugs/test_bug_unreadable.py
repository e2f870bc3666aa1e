"""Files that are no rasters: what they are is said, and how to bring them in."""

import numpy as np
import pytest
from bug_scenes import checked, cube, envi, plain, problem


@pytest.mark.parametrize(
    ("beginning", "kind"),
    [
        (b"MATLAB 5.0 MAT-file, Platform: GLNXA64", "a MATLAB file"),
        (b"MATLAB 7.3 MAT-file", "a MATLAB file"),
        (b"PK\x03\x04rest", "a zip archive"),
        (b"\n<html><body>Please log in</body></html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a pointer of Git LFS"),
        (b"%PDF-1.7", "a PDF"),
        (b"\x0e\x03\x13\x01", "an HDF4 file"),
        (b"LASF", "a cloud of points (LAS)"),
        (b"\xfd7zXZ\0", "compressed by xz"),
        (b'<?xml version="1.0"?><L1_METADATA_FILE/>', "XML"),
        (b'{"type": "FeatureCollection"}', "JSON"),
    ],
)
def test_file_of_another_kind_took_for_an_envi_file(tmp_path, beginning, kind):
    """A scene is given as it was downloaded: a MATLAB file, an archive, the page of a login.
    The hint was to put an ENVI header next to it.
    Right: what the file is, and how to bring it in.
    """
    config = plain(tmp_path, files='["scene"]')
    (tmp_path / "scene").write_bytes(beginning.ljust(200, b" "))
    assert f"is {kind}, not a raster" in problem(checked(config))


def test_array_of_numpy(tmp_path):
    np.save(tmp_path / "x.npy", cube())
    (tmp_path / "x.npy").rename(tmp_path / "x.dat")
    assert "is a NumPy array" in problem(checked(plain(tmp_path, files='["x.dat"]')))


def test_header_given_instead_of_its_data(tmp_path):
    """The files of a modality name img.hdr, the header of an ENVI pair, instead of img.dat.
    The hint was to put a header next to it.
    Right: it is a header, and its data file is named.
    """
    config = plain(tmp_path, files='["img.hdr"]')
    envi(tmp_path, cube())
    assert "is an ENVI header, not a raster" in (line := problem(checked(config)))
    assert "img.dat" in line


def test_archive_is_named_as_gdal_takes_it(tmp_path):
    config = plain(tmp_path, files='["x.zip"]')
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04rest")
    assert "/vsizip/x.zip/RASTER" in problem(checked(config))


def test_text_is_said_to_be_text(tmp_path):
    config = plain(tmp_path, files='["spectra.csv"]')
    (tmp_path / "spectra.csv").write_text("400,0.1\n500,0.2\n")
    assert "it holds text" in problem(checked(config))


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        (lambda text: b"\xef\xbb\xbf" + text, "img.hdr begins with a byte order mark: save it as plain text"),
        (lambda text: text.decode().encode("utf-16"), "img.hdr begins with a byte order mark"),
        (lambda text: text.replace(b"ENVI\n", b"\n"), "img.hdr is no ENVI header"),
        (lambda text: text.replace(b"data type = 12", b"data type = 99"), "correct img.hdr"),
    ],
)
def test_header_that_gdal_does_not_take(tmp_path, change, hint):
    """A header was saved by Windows Notepad, or has a number that means nothing.
    The hint was to copy the data again.
    Right: it tells of the header.
    """
    config = plain(tmp_path, files='["img.dat"]')
    header = envi(tmp_path, cube()).with_suffix(".hdr")
    header.write_bytes(change(header.read_bytes()))
    done = checked(config)
    assert "img.dat cannot be opened" in problem(done)
    assert done.exception.hint.startswith(hint)
