"""Errors of one of several scenes name it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from mpmm.errors import MpmmError
from mpmm.scene import Scene


@contextmanager
def told_of(scene: Scene, scenes: Collection[Scene]) -> Iterator[None]:
    """Within, errors name the scene, where it is one of several."""
    try:
        yield
    except MpmmError as error:
        if len(scenes) == 1:
            raise
        raise type(error)(f'scene "{scene.title}": {error.problem}', error.hint) from error
