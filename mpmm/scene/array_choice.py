"""Which array of a file is meant, where its name says the file alone."""

from __future__ import annotations

import errno
import struct
import tempfile
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path
from tokenize import TokenError

from mpmm.errors import SceneError
from mpmm.scene.array_files import array_shapes
from mpmm.scene.array_names import ArrayName, array_name
from mpmm.scene.unreadable import why_unreadable

# shapes of a file's arrays, by name
Shapes = dict[str, tuple[int, ...]]
# of files that hold arrays, damaged or not
_BEGINNINGS = (b"MATLAB", b"\x89HDF", b"\x93NUMPY", b"PK\x03\x04")
# what libraries raise for a damaged file
UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, ArithmeticError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, struct.error, TokenError),
)


def with_variable(path: Path, who: str) -> Path:
    """The name of an array with its variable, as in `scene.mat:cube`, where the file may hold several.

    Parameters
    ----------
    path
        Any raster's name; of what is no array it is given back.
    who
        The modality, for errors; ``labels`` have two dimensions, of a modality three are preferred.

    Raises
    ------
    SceneError
        The file holds no array that may be a raster, several, or none of the name.
    """
    name = array_name(path)
    if name is None:
        return path
    shapes = _shapes(name, who)
    if name.variable is not None:
        if name.variable not in shapes:
            raise SceneError(
                f"{who}: {name.file} has no array {name.variable!r} of two or three dimensions",
                f"it has {_listed(shapes)}",
            )
        return path
    variable = _only(name, _fitting(shapes, who, name.view), who)
    return Path(f"{name.file}{name._replace(variable=variable).within}")


def arrays_in(file: Path, who: str) -> frozenset[str]:
    """Names of a file's arrays that may be rasters; raises what `with_variable` does of a damaged file."""
    name = array_name(file)
    return frozenset() if name is None else frozenset(_shapes(name, who))


def _shapes(name: ArrayName, who: str) -> Shapes:
    """Shapes of a file's arrays that may be rasters, by name."""
    try:
        status = name.file.stat()
        shapes = _shapes_at(name.file.absolute(), name.ending, status.st_mtime_ns, status.st_size)
    except UNREADABLE as error:
        raise unreadable_array(name.file, who, error) from error
    if not shapes:
        raise SceneError(
            f"{who}: {name.file} holds no array of real numbers with two or three dimensions",
            "expected are rows, columns and bands",
        )
    return shapes


@lru_cache(maxsize=256)
def _shapes_at(file: Path, ending: str, changed: int, size: int) -> Shapes:
    """Shapes in the file as it was at this time and of this size."""
    return array_shapes(file, ending)


def _fitting(shapes: Shapes, who: str, view: str | None) -> Shapes:
    """The arrays that may be meant: of labels those of two dimensions, of a modality those of three first."""
    flat: Shapes = {name: shape for name, shape in shapes.items() if len(shape) == 2}
    cubes: Shapes = {name: shape for name, shape in shapes.items() if len(shape) == 3}
    if view is not None:
        return cubes
    return flat or cubes if who == "labels" else cubes or flat


def _only(name: ArrayName, fitting: Shapes, who: str) -> str:
    if len(fitting) == 1:
        return next(iter(fitting))
    raise SceneError(
        f"{who}: {name.file} holds several arrays: {_listed(fitting)}",
        f"name the right one behind the file, as in {name.file.name}:{next(iter(fitting))}",
    )


def _listed(shapes: Shapes) -> str:
    return ", ".join(f"{name or 'one'} ({' x '.join(map(str, shape))})" for name, shape in shapes.items())


def unreadable_array(file: Path, who: str, error: BaseException) -> SceneError:
    """The error of a file whose arrays cannot be read, with the library's own reason."""
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return SceneError(
            f"{who}: {tempfile.gettempdir()} has no room for {file}, which is unpacked there: {reason}",
            "make room, or set the environment variable TMPDIR to a folder on another disk",
        )
    with file.open("rb") as stream:
        is_array = stream.read(len(max(_BEGINNINGS, key=len))).startswith(_BEGINNINGS)
    if is_array or not file.stat().st_size:
        hint = "it may be damaged or cut short: copy it again"
        return SceneError(f"{who}: {file} cannot be read as an array: {reason}", hint)
    problem, hint = why_unreadable(file, reason)
    return SceneError(f"{who}: {problem}", hint)
