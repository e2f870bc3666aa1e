"""The cache on disk: one folder for each prepared array set, either finished or not there."""

import errno
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mpmm_kernels.runtime import in_turn
from numpy.typing import NDArray

from mpmm.errors import SceneError
from mpmm.scene.cache_folder import MARKER, VERSION, CacheFolder
from mpmm.scene.fingerprint import fingerprint

if TYPE_CHECKING:
    import filelock
else:
    import lazy_loader

    # twenty modules, which a run whose scene is prepared does without
    filelock = lazy_loader.load("filelock")

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_log = logging.getLogger("mpmm.scene")


@dataclass(frozen=True)
class CacheEntry:
    """One prepared modality, or the labels: a folder of ``.npy`` files and a marker that is written last.

    Parameters
    ----------
    root
        The cache folder, which holds this entry's and others.
    name
        The modality, or ``labels``.
    described
        Everything the contents depend on.
    bytes
        What the files take.
    """

    root: Path
    name: str
    described: Mapping[str, Any]
    bytes: int

    @property
    def key(self) -> str:
        """The fingerprint of everything the contents depend on, SHA-256 in hexadecimal."""
        return fingerprint(self.described)

    @property
    def finished(self) -> CacheFolder:
        """What is read once it is ready."""
        return CacheFolder(self.root, self.name, self.key)

    @property
    def folder(self) -> Path:
        """Where the finished files are."""
        return self.finished.path

    def is_ready(self) -> bool:
        """Whether the folder is finished, whole and of this version and fingerprint."""
        return self.finished.is_ready()

    def extra(self) -> dict[str, Any]:
        """What was stored next to the arrays."""
        return self.finished.extra()

    def map(self, file: str) -> NDArray[Any]:
        """Map an array, read-only."""
        return self.finished.map(file)

    @property
    def partial(self) -> Path:
        """Where the files are while they are written."""
        return self.root / f".{self.folder.name}.partial"

    @property
    def lock(self) -> Path:
        """What the process that writes holds."""
        return self.root / f"{self.folder.name}.lock"

    def bytes_to_write(self) -> int:
        """What is still to be written, by this or another process that is at it."""
        if self.is_ready():
            return 0
        return max(0, self.bytes - sum(map(_size, self.partial.glob("*"))))

    def prepare(self, write: Callable[[Path], Mapping[str, Any]]) -> None:
        """Make the entry ready: reuse it, wait for the process that is at it, or write it.

        Parameters
        ----------
        write
            Fills an empty folder with arrays and returns what is to be stored next to them.

        Raises
        ------
        SceneError
            Where the cache folder cannot be written, or the disk is too small or full.
        """
        if self.is_ready():
            return
        make_folder(self.root)
        with _one_clear_error(self), self._turn() as partial:
            if self.is_ready():
                return
            if self.folder.exists():
                _log.warning("cache %s is prepared again: %s", self.folder, self.finished.damage())
            self._remove_leftovers(partial)
            check_space(self.root, self.bytes, self.name)
            self._write(write, partial)

    @contextmanager
    def _turn(self) -> Iterator[Path]:
        """Wait for the entry's lock, or take one's own if its holder stands still; yields where to write."""
        own = f"{self.folder.name}-{os.getpid()}"
        own_lock = self.root / f"{own}.lock"
        with in_turn(self.lock) as alone, nullcontext() if alone else filelock.FileLock(own_lock):
            yield self.partial if alone else self.root / f".{own}.partial"

    def _remove_leftovers(self, own: Path) -> None:
        """Remove what killed processes left behind: their locks are free, or held here for `own`."""
        for leftover in self.root.glob(".*.partial"):
            lock = self.root / f"{leftover.stem[1:]}.lock"
            if leftover == own:
                shutil.rmtree(leftover)
                continue
            with suppress(filelock.Timeout), filelock.FileLock(lock, blocking=False):
                # else whoever held the lock a moment ago has put it in place
                if leftover.exists():
                    shutil.rmtree(leftover)
        shutil.rmtree(self._old, ignore_errors=True)

    @property
    def _old(self) -> Path:
        return self.root / f".{self.folder.name}.old"

    def _write(self, write: Callable[[Path], Mapping[str, Any]], partial: Path) -> None:
        partial.mkdir()
        try:
            extra = write(partial)
            files = sorted(partial.iterdir())
            for file in files:
                _flush(file)
            marker = {
                "version": VERSION,
                "fingerprint": self.key,
                "files": {file.name: file.stat().st_size for file in files},
                "extra": dict(extra),
                "described": dict(self.described),
            }
            (partial / MARKER).write_text(json.dumps(marker, indent=1))
            _flush(partial / MARKER)
            _flush(partial)
            self._put_in_place(partial)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise

    def _put_in_place(self, partial: Path) -> None:
        if self.folder.exists():
            self.folder.rename(self._old)
            partial.rename(self.folder)
            shutil.rmtree(self._old)
        else:
            partial.rename(self.folder)
        _flush(self.root)


@contextmanager
def _one_clear_error(entry: CacheEntry) -> Iterator[None]:
    """Turn what a full, failing or lockless disk raises into one clear error."""
    try:
        yield
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            raise _disk_full(entry.root, entry.bytes, entry.name) from error
        reason = getattr(error, "strerror", None) or error
        raise SceneError(
            f"{entry.name}: cache {entry.root} cannot be written: {reason}",
            'name a folder on a local disk with cache = "..." under [scene]',
        ) from error


def make_folder(folder: Path) -> None:
    """Make the cache folder and those above it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SceneError(
            f"cache folder {folder} cannot be made: {error.strerror}",
            'name a folder that can be written with cache = "..." under [scene]',
        ) from error


def free_bytes(folder: Path) -> int:
    """Free space where the cache is or would be."""
    existing = next(parent for parent in [folder, *folder.absolute().parents] if parent.is_dir())
    return shutil.disk_usage(existing).free


def check_space(folder: Path, needed: int, name: str) -> None:
    """Raise where less is free than is needed."""
    if free_bytes(folder) < needed:
        raise _disk_full(folder, needed, name)


def _disk_full(folder: Path, needed: int, name: str) -> SceneError:
    return SceneError(
        f"{name}: the disk of {folder} is full: {needed:,} bytes are needed, {free_bytes(folder):,} are free",
        'make room (caches may be deleted), or name another folder with cache = "..." under [scene]',
    )


def _size(file: Path) -> int:
    """Bytes of a file; none where another process has just put it in place."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _flush(path: Path) -> None:
    """Have the system write a file or folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
