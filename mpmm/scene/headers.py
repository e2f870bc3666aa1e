"""Headers that have been read: kept while a scene is prepared, within which no file may change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from mpmm.scene.grid import Grid

if TYPE_CHECKING:
    from mpmm.scene.raster import Raster

Assumed: TypeAlias = Callable[[int, int], Grid] | None
# file, who asks, declared coordinate system, and what gives the grid
Request: TypeAlias = tuple[Path, str, str | None, Assumed]

# headers by what they were asked for, within `headers_read_once`
known_headers: ContextVar[dict[Request, Raster] | None] = ContextVar("known_headers", default=None)


@contextmanager
def headers_read_once() -> Iterator[None]:
    """Within, a file's header is read once, however often it is asked for; no file may change meanwhile."""
    token = known_headers.set({})
    try:
        yield
    finally:
        known_headers.reset(token)
