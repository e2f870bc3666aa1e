"""Why a file cannot be opened as a raster, and how to bring in what it is."""

from __future__ import annotations

import codecs
from pathlib import Path

from mpmm.scene.vrt import is_vrt

# beginnings of files that are no rasters, what they are, and how they become rasters
_KINDS = (
    (b"MATLAB 5.0", "a MATLAB file", "give it a name that ends in .mat"),
    (b"MATLAB 7.3", "a MATLAB file", "give it a name that ends in .mat"),
    (b"\x93NUMPY", "a NumPy array", "give it a name that ends in .npy"),
    (b"PK\x03\x04", "a zip archive", "unpack it, or name the raster in it: /vsizip/{name}/RASTER"),
    (b"\x1f\x8b", "compressed by gzip", "unpack it, or name what it holds: /vsigzip/{name}"),
    (b"BZh", "compressed by bzip2", "unpack it"),
    (b"\xfd7zXZ", "compressed by xz", "unpack it"),
    (b"(\xb5/\xfd", "compressed by zstd", "unpack it"),
    (b"Rar!", "a RAR archive", "unpack it"),
    (
        b"\x0e\x03\x13\x01",
        "an HDF4 file",
        "convert it with a GDAL that has HDF4, which rasterio's wheels lack",
    ),
    (b"LASF", "a cloud of points (LAS)", "grid it first, e.g. with pdal"),
    (b"\x80\x04\x95", "a pickle of Python", "write its array as GeoTIFF, with rasterio"),
    (b"\x80\x05\x95", "a pickle of Python", "write its array as GeoTIFF, with rasterio"),
    (b'{"', "JSON", "rasterise its features, e.g. with gdal_rasterize"),
    (b"<?xml", "XML", "it may tell of a raster: name that one"),
    (b"7z\xbc\xaf", "a 7z archive", "unpack it"),
    (b"%PDF", "a PDF", "export the raster from the program that made it"),
    (b"SQLite format 3", "a database of SQLite", "rasterise its features, e.g. with gdal_rasterize"),
    (b"\x00\x00\x27\x0a", "a shapefile", "rasterise its features, e.g. with gdal_rasterize"),
    (b"<!DOCTYPE", "a web page", "download the file itself: this may be the page of an error or a login"),
    (b"<html", "a web page", "download the file itself: this may be the page of an error or a login"),
    (b"version https://git-lfs", "a pointer of Git LFS", "fetch the file itself: git lfs pull"),
    (b"ENVI", "an ENVI header", "name the data file that belongs to it, not the header"),
)
_TEXT = frozenset(range(32, 127)) | frozenset(b"\t\r\n")
_RASTERS = (".tif", ".tiff", ".vrt", ".png", ".jpg", ".jp2", ".nc", ".h5", ".hdf")
_DATA_OF_HEADERS = ("", ".dat", ".img", ".raw", ".bil", ".bip", ".bsq", ".bin")


def why_unreadable(path: Path, reason: str) -> tuple[str, str]:
    """The problem in one line, with GDAL's own reason, and a hint that fits the file."""
    if not path.exists():
        problem = f"{path} cannot be opened as a raster: {reason}"
        return problem, "correct what the name says besides the file's own"
    if path.is_dir():
        return f"{path} is a folder, not a raster", "name the file in it, or a pattern such as folder/*.tif"
    if path.stat().st_size == 0:
        return f"{path} is empty", "copy it again"
    with path.open("rb") as file:
        beginning = file.read(64)
    for mark, kind, hint in _KINDS:
        if beginning.lstrip().startswith(mark) and not is_vrt(path):
            hint = hint.replace("{name}", path.name)
            return f"{path} is {kind}, not a raster", _data_of(path) if mark == b"ENVI" else hint
    return f"{path} cannot be opened as a raster: {reason}", _hint(path, beginning)


def _hint(path: Path, beginning: bytes) -> str:
    """What to do about a file that is none of the known kinds, by its header, its name or its text."""
    headers = [path.with_suffix(".hdr"), path.with_suffix(".HDR"), Path(f"{path}.hdr"), Path(f"{path}.HDR")]
    for header in headers:
        if header.is_file():
            return _of_header(header)
    if path.suffix.lower() in _RASTERS:
        return "it may be damaged or cut short: copy it again"
    if all(byte in _TEXT for byte in beginning):
        return "it holds text: name the raster, or write its numbers as GeoTIFF with rasterio"
    return f"if it is an ENVI raw file, put its header next to it: {headers[0].name} or {headers[2].name}"


def _of_header(header: Path) -> str:
    """A hint on the header that lies beside a file."""
    with header.open("rb") as file:
        beginning = file.read(4)
    if beginning.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return f"{header.name} begins with a byte order mark: save it as plain text (ANSI), which GDAL reads"
    if beginning != b"ENVI":
        return f"{header.name} is no ENVI header, which begins with the word ENVI: copy it again"
    return f"correct {header.name}; or copy both again, if they are damaged or cut short"


def _data_of(header: Path) -> str:
    """A hint that names the data file of an ENVI header, where it is there."""
    names = [header.with_suffix(suffix) for suffix in _DATA_OF_HEADERS]
    data = next((name for name in names if name.is_file()), None)
    return "name the data file that belongs to it" + ("" if data is None else f": {data.name}")
