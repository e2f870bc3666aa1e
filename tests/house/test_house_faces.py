"""Every room has a face, and nothing outside of a room imports past it."""

from __future__ import annotations

import importlib

import pytest
from house_sources import ROOMS, ROOT, SOURCES, Name, face, imports

# holds code itself
PROGRAM = {("mpmm", "commands")}


def is_past_the_face(room_inside: Name, module: Name, name: str | None) -> bool:
    """Whether an import takes what another room does not offer.

    A face offers names, and by naming a module also what that module holds, but for private names.
    """
    room = module[:2]
    if room not in ROOMS or room == room_inside:
        return False
    offered = face(room) or frozenset()
    if len(module) == 2:
        return name is None or name not in offered
    return module[2] not in offered or len(module) > 3 or name is None or name.startswith("_")


def violations(source: Name) -> list[str]:
    """Where a source file imports past a face."""
    return [
        f"{SOURCES[source].relative_to(ROOT)}:{line}: {'.'.join(module)} {name or ''}"
        for line, module, name in imports(source)
        if is_past_the_face(source[:2], module, name)
    ]


@pytest.mark.parametrize("room", sorted(ROOMS), ids=".".join)
def test_each_room_has_a_face(room: Name) -> None:
    names = face(room)
    assert names is not None, "no __all__"
    assert not [name for name in names if name.startswith("_")]


@pytest.mark.parametrize("room", sorted(ROOMS - PROGRAM), ids=".".join)
def test_a_face_imports_nothing_until_a_name_is_asked_for(room: Name) -> None:
    """What it offers stands in its stub, for type checkers and lazy_loader."""
    assert not [module for _, module, _ in imports(room) if module[: len(room)] == room]
    assert set(importlib.import_module(".".join(room)).__all__) == face(room)


def test_nothing_outside_imports_past_a_face() -> None:
    assert not [line for source in SOURCES for line in violations(source)]


def test_an_import_past_a_face_is_seen() -> None:
    commands, scene = ("mpmm", "commands"), ("mpmm", "scene")
    assert is_past_the_face(commands, (*scene, "cache"), "CacheEntry")
    assert is_past_the_face(commands, scene, "cache")
    assert is_past_the_face(commands, (*scene, "dfc2018"), "_list")
    assert not is_past_the_face(commands, (*scene, "dfc2018"), "CLASSES")
    assert not is_past_the_face(commands, scene, "Scene")
    assert not is_past_the_face(scene, (*scene, "cache"), "CacheEntry")
