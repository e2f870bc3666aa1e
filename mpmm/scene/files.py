"""Finds a scene's files by name or pattern, and says what was looked for where one is missing."""

import glob
from collections.abc import Callable, Sequence
from pathlib import Path

from mpmm.errors import SceneError
from mpmm.scene.array_choice import with_variable
from mpmm.scene.containers import inner_name

# what lies next to a raster without being one
SIDECARS = {".hdr", ".enp", ".xml", ".ovr", ".msk", ".tfw", ".wld", ".prj", ".sta", ".stx", ".txt", ".lock"}
# what belongs to a Shapefile
SIDECARS |= {".shx", ".dbf", ".cpg", ".qix", ".sbn", ".sbx"}
# characters of a name that an error shows
_SHOWN = 80


def find_files(
    folder: Path, names: Sequence[str], who: str, leave_out: Callable[[Path], bool] | None = None
) -> tuple[Path, ...]:
    """Resolve paths and glob patterns relative to a folder.

    Parameters
    ----------
    folder
        What relative names start from; brackets in its own name are no pattern.
    names
        Paths, names of rasters within files, or patterns (``*``, ``?``, ``[...]``, ``**``); a
        pattern's files come in name order, header and other sidecar files are left out.
    who
        The modality (or ``labels``), for the error.
    leave_out
        Tells of a file that a pattern matches whether it is not meant; what is named is always meant.

    Returns
    -------
    The files, each once, in the order of ``names``; of MATLAB's and NumPy's the array in them.

    Raises
    ------
    SceneError
        Where a file or folder is missing or a pattern matches nothing.
    """
    if not folder.is_dir():
        raise SceneError(
            f"{who}: the scene's folder {folder} does not exist",
            "correct its name; where a run's data have moved, give the configuration beside them, as in "
            "mpmm evaluate RUN CONFIG or mpmm train CONFIG --resume RUN",
        )
    files: dict[Path, None] = {}
    for name in names:
        try:
            files.update(dict.fromkeys(_find(folder, name, who, leave_out or (lambda _: False))))
        except OSError as error:
            shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..."
            raise SceneError(
                f"{who}: {shown} cannot be looked for: {error.strerror}",
                "correct the name, or its permissions",
            ) from error
    return tuple(files)


def _find(folder: Path, name: str, who: str, leave_out: Callable[[Path], bool]) -> list[Path]:
    named, path = named_raster(folder, name, who), folder / name
    if named is not None:
        return [with_variable(named, who)]
    if not glob.has_magic(name):
        raise SceneError(
            f"{who}: file {path} is missing{_where_it_ends(path)}", "correct the name, or put it there"
        )
    matches = [folder / match for match in sorted(glob.glob(name, root_dir=folder, recursive=True))]
    files = [match for match in matches if match.is_file() and match.suffix.lower() not in SIDECARS]
    rasters = [with_variable(file, who) for file in files]
    meant = [raster for raster in rasters if not leave_out(raster)]
    if not meant:
        where = _where_it_ends(folder / Path(*Path(name).parts[: _first_magic(Path(name))]))
        but = f" but {rasters[0].name}: labels, or made by mpmm" if rasters else ""
        raise SceneError(
            f"{who}: no file matches {path}{where}{but}", "correct the pattern, or put the files there"
        )
    return meant


def named_raster(folder: Path, name: str, who: str) -> Path | None:
    """The file of a name, or what GDAL takes for a raster within a file; None where the name means neither.

    Raises
    ------
    SceneError
        The name means a raster within a file that is missing, or on another machine.
    """
    if (folder / name).exists():
        return folder / name
    try:
        inner = inner_name(folder, name)
    except SceneError as error:
        raise SceneError(f"{who}: {error.problem}", error.hint) from error
    if inner is not None and not inner.file.exists():
        raise SceneError(
            f"{who}: file {inner.file} is missing{_where_it_ends(inner.file)}",
            "correct the name, or put it there",
        )
    return None if inner is None else inner.path


def _first_magic(path: Path) -> int:
    return next(i for i, part in enumerate(path.parts) if glob.has_magic(part))


def _where_it_ends(path: Path) -> str:
    """Name the first folder on the way that is not there, if it is not the file itself."""
    missing = [parent for parent in [path, *path.parents] if not parent.exists()]
    return f": there is no folder {missing[-1]}" if missing and missing[-1] != path else ""
