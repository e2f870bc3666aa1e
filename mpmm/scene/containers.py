"""Rasters within files: subdatasets and members of archives by GDAL's names, and arrays by their variable's.

`NETCDF:"scene.nc":radiance`, `HDF5:"scene.h5"://cube`, `/vsizip/scene.zip/cube.tif`, `zip://scene.zip!cube.tif`,
`scene.mat:cube`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from mpmm.errors import SceneError
from mpmm.scene.array_names import array_name

# GDAL's file systems that read files of this machine, and the schemes that rasterio has for some of them
_ARCHIVES = ("vsizip", "vsitar", "vsi7z", "vsirar")
_FILTERS = ("vsigzip", "vsisubfile", "vsisparse", "vsicrypt", "vsicached")
_SCHEMES = {"zip": "vsizip", "tar": "vsitar", "gzip": "vsigzip"}
_REMOTE = re.compile(
    r"/vsi(curl|s3|gs|az|adls|oss|swift|hdfs|webhdfs|mem|stdin)|(https?|ftp|s3|gs|az|oss)://", re.I
)
# a driver's name before a subdataset's, as in NETCDF:"scene.nc":radiance
_DRIVER = re.compile(r"[A-Za-z][A-Za-z0-9_]+:")


class InnerName(NamedTuple):
    """A raster within a file.

    Attributes
    ----------
    before, after
        What GDAL's name has around the file's.
    file
        The file on this machine, which may be missing.
    """

    before: str
    file: Path
    after: str

    @property
    def path(self) -> Path:
        """GDAL's name, by which the raster is opened from any folder."""
        return Path(f"{self.before}{self.file}{self.after}")


def inner_name(folder: Path, name: str) -> InnerName | None:
    """Take a name apart that means a raster within a file; None for the name of a plain file.

    Parameters
    ----------
    folder
        What relative names start from.
    name
        As it stands in a configuration.

    Raises
    ------
    SceneError
        The name means something on another machine.
    """
    if name.startswith("file://"):
        return InnerName("", Path(unquote(name.removeprefix("file://").removeprefix("localhost"))), "")
    if _REMOTE.search(name):
        raise SceneError(f"{name} lies on another machine", "download it first: rasters are read from disks")
    scheme, _, rest = name.partition("://")
    if scheme in _SCHEMES:
        archive, _, member = rest.partition("!")
        name = f"/{_SCHEMES[scheme]}/{{{archive}}}/{member.lstrip('/')}"
    if name.startswith("/vsi"):
        return _in_file_system(folder, name)
    subdataset = _subdataset(folder, name) if _DRIVER.match(name) else None
    return subdataset or _array(folder, name)


def file_behind(path: Path) -> Path:
    """The file of this machine that a raster lies in, whether or not it is all of it."""
    if path.exists():
        return path
    try:
        inner = inner_name(Path.cwd(), str(path))
    except SceneError:
        return path
    return path if inner is None else inner.file


def opened_name(path: Path) -> str:
    """A raster's name as GDAL takes it: in HDF5 the two slashes before a path are one in a `Path`."""
    text = str(path)
    return re.sub(r":/(?=[^:/])(?=[^:]*$)", "://", text) if text[:5].upper() == "HDF5:" else text


def name_within(folder: Path, path: Path) -> str:
    """Name of a raster relative to a folder, so that it stays the same where both are moved."""
    inner = None if path.exists() else inner_name(Path.cwd(), str(path))
    if inner is None:
        return os.path.relpath(path, folder)
    return f"{inner.before}{os.path.relpath(inner.file, folder)}{inner.after}"


def _array(folder: Path, name: str) -> InnerName | None:
    """Take apart `scene.mat:cube`."""
    array = array_name(name)
    if array is None or not array.within:
        return None
    return InnerName("", (folder / array.file).absolute(), array.within)


def _in_file_system(folder: Path, name: str) -> InnerName | None:
    """Take apart `/vsizip/scene.zip/cube.tif`, also where one file system is read through another."""
    kind = re.match(r"/(vsi\w+)(\?[^/]*)?/", name)
    if kind is None or kind[1] not in (*_ARCHIVES, *_FILTERS):
        return None
    before, rest = kind[0], name[kind.end() :]
    if kind[1] == "vsisubfile":
        offsets, _, rest = rest.partition(",")
        before += f"{offsets},"
    braced = rest.startswith("{") and rest.rfind("}") > 0
    inside, after = (rest[1 : rest.rfind("}")], rest[rest.rfind("}") + 1 :]) if braced else (rest, "")
    if inside.startswith(("vsi", "/vsi")):
        deeper = _in_file_system(folder, f"/{inside.lstrip('/')}")
        if deeper is None:
            return None
        opening, closing = ("{", "}") if braced else ("", "")
        before = f"{before}{opening}{deeper.before}"
        return InnerName(before, deeper.file, f"{deeper.after}{closing}{after}")
    file, member = (folder / inside, after) if braced else _leading_file(folder, inside)
    if kind[1] in _ARCHIVES:
        return InnerName(f"{before}{{", file.absolute(), f"}}{member}")
    # no braces may stand here, and two slashes in a row would not last
    return InnerName(before, Path(os.path.relpath(file)), member)


def _leading_file(folder: Path, inside: str) -> tuple[Path, str]:
    """The file that a path begins with, and what is left of the path within it."""
    parts = inside.split("/")
    for count in range(1, len(parts) + 1):
        file = folder / "/".join(parts[:count])
        if parts[count - 1] and file.is_file():
            return file, "".join(f"/{part}" for part in parts[count:])
    return folder / inside, ""


def _subdataset(folder: Path, name: str) -> InnerName | None:
    """Take apart `DRIVER:"file":part`, or without quotes where one of its parts is a file that is there."""
    quoted = re.fullmatch(r'([^"]*")([^"]+)("[^"]*)', name)
    if quoted is not None:
        return InnerName(quoted[1], (folder / quoted[2]).absolute(), quoted[3])
    parts = name.split(":")
    for first in range(1, len(parts)):
        for last in range(first + 1, len(parts) + 1):
            text = ":".join(parts[first:last])
            if text and (folder / text).is_file():
                before, after = ":".join([*parts[:first], ""]), "".join(f":{p}" for p in parts[last:])
                return InnerName(before, (folder / text).absolute(), after)
    return None
