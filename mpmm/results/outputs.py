"""The door that every output passes: nothing is written over a file that is read, under whatever name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from mpmm.errors import RunError
from mpmm.results.folder import RunFolder

# how far up a file of a run folder lies in it
_DEPTH = 3


def refuse_inputs(outputs: Iterable[Path], inputs: Iterable[Path], *, of_run: bool = False) -> None:
    """Refuse outputs that are read: by the same name or another, through links, or within a folder that is.

    Parameters
    ----------
    outputs
        Files and folders that are about to be written.
    inputs
        Files and folders that are read. The files of a run folder that an output lies in are read too.
    of_run
        Whether the outputs are a run's own, which are written anew in its folder.

    Raises
    ------
    RunError
        Naming the output and the input.
    """
    known: dict[object, Path] = {}
    for path in inputs:
        known.update(dict.fromkeys(_identities(path), path))
    for output in outputs:
        around = {} if of_run else {key: file for file in _run_around(output) for key in _identities(file)}
        for key in (*_identities(output), *_folders_above(output)):
            read = around.get(key) or known.get(key)
            if read is not None:
                also = "" if str(read) == str(output) else f" as {read}"
                raise RunError(
                    f"{output}: is read{also}, and would be written over", "give what is written another name"
                )


def _identities(path: Path) -> Iterator[object]:
    """By what a file is known: where its name leads, and the file itself, which has other names too."""
    yield os.path.realpath(path)
    try:
        status = path.stat()
    except (OSError, ValueError):
        return
    yield status.st_dev, status.st_ino


def _folders_above(path: Path) -> Iterator[object]:
    """Identities of the folders that a file would lie in, so far as they are there."""
    for folder in Path(os.path.realpath(path)).parents:
        yield from _identities(folder)


def _run_around(path: Path) -> Iterator[Path]:
    """What is read of the run folder in which a file lies, if it lies in any."""
    for folder in Path(os.path.realpath(path)).parents[:_DEPTH]:
        if (folder / "config.json").is_file() and (folder / "checkpoints").is_dir():
            yield from RunFolder(folder).read_files()
