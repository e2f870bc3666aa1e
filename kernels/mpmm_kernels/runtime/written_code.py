"""Code that the standard library writes for classes, kept on disk as Python keeps that of modules.

Of a dataclass six functions are written and compiled when it is made, of a named tuple one, anew in every
process: of the 450 ms of imports of a training's rank that took 88.
"""

import builtins
import collections
import dataclasses
import importlib.util
import marshal
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any, TypeAlias

from mpmm_kernels.runtime.cache_parents import cache_parents, usable

# a text's code, by the function that runs it and the text
_Codes: TypeAlias = dict[tuple[str, str], CodeType]

# who writes code, and by which function it is compiled and run: a name that is looked up in the module first
_WRITERS = (dataclasses, "exec"), (collections, "eval")
# so many texts are those of all commands together, and of some versions before
_MOST = 8192
_CHECK_BYTES = 4


@contextmanager
def written_code_kept() -> Iterator[None]:
    """A context for a program: what classes need compiled is read from disk, or compiled and kept there.

    Without a folder to keep it in, or where the file cannot be read, all is compiled as ever.
    """
    code = _WrittenCode()
    before = [(module, name, vars(module).get(name)) for module, name in _WRITERS]
    for module, name in _WRITERS:
        vars(module)[name] = partial(code.run, name)
    try:
        yield
    finally:
        for module, name, function in before:
            if function is None:
                del vars(module)[name]
            else:
                vars(module)[name] = function
        code.keep()


class _WrittenCode:
    """What is on disk, read when the first text is run, and what this process has compiled."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._codes: _Codes | None = None
        self._grown = False

    def run(self, name: str, text: str, *spaces: Any) -> Any:
        """Run a text by ``exec`` or ``eval`` in some name spaces."""
        if self._codes is None:
            self._path = _file()
            self._codes = _read(self._path)
        code = self._codes.get((name, text))
        if code is None:
            code = self._codes[name, text] = compile(text, "<string>", name)
            self._grown = True
        function: Callable[..., Any] = getattr(builtins, name)
        return function(code, *spaces)

    def keep(self) -> None:
        """Put what was compiled beside what other processes have kept meanwhile."""
        if self._path is not None and self._codes is not None and self._grown:
            _write(self._path, _read(self._path) | self._codes)


def _file() -> Path | None:
    """This Python's file, in the first folder that is the user's alone."""
    folder = next(filter(usable, cache_parents()), None)
    return folder and folder / f"classes-{importlib.util.MAGIC_NUMBER.hex()}.marshal"


def _read(path: Path | None) -> _Codes:
    """Texts and their code; none where the file is missing, damaged, another user's, or too large."""
    if path is None:
        return {}
    try:
        with path.open("rb") as file:
            theirs = os.fstat(file.fileno()).st_uid != os.getuid()
            check, content = file.read(_CHECK_BYTES), file.read()
    except OSError:
        return {}
    if theirs or not content or check != _check(content):
        return {}
    codes: _Codes = marshal.loads(content)
    return codes if len(codes) <= _MOST else {}


def _write(path: Path, codes: _Codes) -> None:
    """Put a whole file in place of the one before; of several processes that do so the last one's stays."""
    content = marshal.dumps(codes)
    with suppress(OSError):
        handle, partly = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_check(content) + content)
            os.replace(partly, path)
        except OSError:
            Path(partly).unlink(missing_ok=True)
            raise


def _check(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(_CHECK_BYTES, "little")
