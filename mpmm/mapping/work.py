"""The work folder of a map under way: its rasters, window by window, and which windows are done."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from mpmm_kernels.runtime import HeldElsewhere, at_once

from mpmm.errors import RunError
from mpmm.mapping.raster_spec import Pixels, RasterName, RasterSpec
from mpmm.mapping.windows import Window


class WorkFolder:
    """Keeps the windows of one map until all are there.

    A window is marked as done only after all of its pixels are on the disk. A folder of another map (another
    network, scene, region, other rasters) is begun anew.

    Parameters
    ----------
    path
        The folder, beside the map to come.
    region
        The part of the scene that is mapped.
    windows
        The rectangles that the region is cut into.
    raster_specs
        The rasters that the map has.
    key
        What else decides the pixels: plain values that JSON takes.
    """

    def __init__(
        self,
        path: Path,
        region: Window,
        windows: Sequence[Window],
        raster_specs: Sequence[RasterSpec],
        key: Mapping[str, object],
    ) -> None:
        self.path, self.region, self.windows, self.raster_specs = path, region, windows, raster_specs
        self._key = json.dumps(
            {
                **key,
                "region": str(region),
                "windows": len(windows),
                "rasters": [str(spec) for spec in raster_specs],
            },
            indent=2,
            sort_keys=True,
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep the folder to this process, and ready for `put`; what was done before is kept.

        Raises
        ------
        RunError
            Another process writes this map, or the folder cannot be written.
        """
        with ExitStack() as stack:
            with self._writing():
                try:
                    stack.enter_context(at_once(self.path.with_suffix(".lock")))
                except HeldElsewhere as error:
                    raise RunError(
                        f"{self.path}: {error} writes this map", "wait for it or stop it"
                    ) from error
                self._begin()
            yield

    def missing(self) -> tuple[int, ...]:
        """Which windows are not done."""
        done = np.fromfile(self._done, np.uint8)
        return tuple(np.flatnonzero(done == 0).tolist())

    def put(self, index: int, pixels: Mapping[RasterName, Pixels]) -> None:
        """Keep one window's rasters, (bands, height, width) each."""
        inside = self.windows[index].of(self.region)
        with self._writing():
            for spec in self.raster_specs:
                raster = self._raster(spec, "r+")
                raster[(slice(None), *inside)] = pixels[spec.name]
                raster.flush()
            with self._done.open("r+b") as file:
                file.seek(index)
                file.write(b"\x01")
                file.flush()
                os.fsync(file.fileno())

    def raster(self, spec: RasterSpec) -> Pixels:
        """A raster as it is so far, (bands, rows, columns), mapped read-only."""
        return self._raster(spec, "r")

    def remove(self) -> None:
        """Delete the folder and its lock: the map is written."""
        shutil.rmtree(self.path)
        self.path.with_suffix(".lock").unlink(missing_ok=True)

    @property
    def _done(self) -> Path:
        return self.path / "done"

    def _raster(self, spec: RasterSpec, mode: str) -> np.memmap[tuple[int, ...], np.dtype[np.generic]]:
        shape = (spec.bands, self.region.height, self.region.width)
        return np.memmap(self.path / f"{spec.name}.raw", spec.dtype, mode, shape=shape)  # type: ignore[call-overload, no-any-return]

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunError(
                f"{self.path}: cannot be written: {error.strerror or error}",
                "name a map with -o where there is room and you may write",
            ) from error

    def _begin(self) -> None:
        """Go on with the folder, or empty it and reserve the room for all rasters."""
        key = self.path / "map.json"
        if key.is_file() and key.read_text(encoding="utf-8") == self._key:
            return
        if self.path.exists():
            shutil.rmtree(self.path)
        self.path.mkdir()
        for spec in self.raster_specs:
            size = spec.bands * self.region.pixels * np.dtype(spec.dtype).itemsize
            with (self.path / f"{spec.name}.raw").open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, size)
        self._done.write_bytes(bytes(len(self.windows)))
        key.write_text(self._key, encoding="utf-8")
