"""The cache on disk: one folder for each prepared array set, either finished or not there."""

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mpmm_kernels.runtime import in_turn

from mpmm.errors import FULL, SceneError
from mpmm.scene.cache_folder import MARKER, VERSION, CacheFolder
from mpmm.scene.disk import free_bytes, why_no_files
from mpmm.scene.fingerprint import fingerprint

if TYPE_CHECKING:
    import filelock
else:
    import lazy_loader

    # twenty modules, which a run whose scene is prepared does without
    filelock = lazy_loader.load("filelock")

_log = logging.getLogger("mpmm.scene")


class CacheEntry:
    """A folder of the cache, as it is written: its files first, a marker last, then it gets its name.

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

    Attributes
    ----------
    folder
        What is read once it is ready; its key is the fingerprint of all that is described.
    """

    def __init__(self, root: Path, name: str, described: Mapping[str, Any], bytes: int) -> None:
        self.folder = CacheFolder(root, name, fingerprint(described))
        self.described, self.bytes = described, bytes

    def bytes_to_write(self) -> int:
        """What is still to be written, by this or another process that is at it."""
        if self.folder.is_ready():
            return 0
        return max(0, self.bytes - sum(map(_size, self._partial.glob("*"))))

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
        if self.folder.is_ready():
            return
        make_folder(self.folder.root)
        with _one_clear_error(self), self._turn() as partial:
            if self.folder.is_ready():
                return
            if self.folder.path.exists():
                _log.warning("cache %s is prepared again: %s", self.folder.path, self.folder.damage())
            self._remove_leftovers(partial)
            check_space(self.folder.root, self.bytes, self.folder.name)
            self._write(write, partial)

    @contextmanager
    def _turn(self) -> Iterator[Path]:
        """Wait for the entry's lock, or take one's own if its holder stands still; yields where to write."""
        root, finished = self.folder.root, self.folder.path.name
        own = f"{finished}-{os.getpid()}"
        lock, own_lock = root / f"{finished}.lock", root / f"{own}.lock"
        with in_turn(lock) as alone, nullcontext() if alone else filelock.FileLock(own_lock):
            yield self._partial if alone else root / f".{own}.partial"

    def _remove_leftovers(self, own: Path) -> None:
        """Remove what killed processes left behind: their locks are free, or held here for `own`."""
        for leftover in self.folder.root.glob(".*.partial"):
            lock = leftover.with_name(f"{leftover.stem[1:]}.lock")
            if leftover == own:
                shutil.rmtree(leftover)
                continue
            with suppress(filelock.Timeout), filelock.FileLock(lock, blocking=False):
                # else whoever held the lock a moment ago has put it in place
                if leftover.exists():
                    shutil.rmtree(leftover)
        shutil.rmtree(self._old, ignore_errors=True)

    @property
    def _partial(self) -> Path:
        """Where the files are while the holder of the lock writes them."""
        return self.folder.root / f".{self.folder.path.name}.partial"

    @property
    def _old(self) -> Path:
        """Where a damaged folder is while another takes its place."""
        return self.folder.root / f".{self.folder.path.name}.old"

    def _write(self, write: Callable[[Path], Mapping[str, Any]], partial: Path) -> None:
        partial.mkdir()
        try:
            extra = write(partial)
            files = sorted(partial.iterdir())
            for file in files:
                _flush(file)
            marker = {
                "version": VERSION,
                "fingerprint": self.folder.key,
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
        finished = self.folder.path
        if finished.exists():
            finished.rename(self._old)
            partial.rename(finished)
            shutil.rmtree(self._old)
        else:
            partial.rename(finished)
        _flush(self.folder.root)


@contextmanager
def _one_clear_error(entry: CacheEntry) -> Iterator[None]:
    """Turn what a full, failing or lockless disk raises into one clear error."""
    root, name = entry.folder.root, entry.folder.name
    try:
        yield
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise _disk_full(root, entry.bytes, name) from error
        raise _unwritable(root, name, getattr(error, "strerror", None) or str(error)) from error


def make_folder(folder: Path) -> None:
    """Make the cache folder and those above it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SceneError(
            f"cache folder {folder} cannot be made: {error.strerror}",
            'name a folder that can be written with cache = "..." under [scene]',
        ) from error


def check_space(folder: Path, needed: int, name: str) -> None:
    """Raise where less is free than is needed: the disk is full, or takes no files whatever is free."""
    if free_bytes(folder) >= needed:
        return
    reason = why_no_files(folder)
    raise _disk_full(folder, needed, name) if reason is None else _unwritable(folder, name, reason)


def _unwritable(folder: Path, name: str, reason: str) -> SceneError:
    return SceneError(
        f"{name}: cache {folder} cannot be written: {reason}",
        'name a folder on a local disk with cache = "..." under [scene]',
    )


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
