"""The lists of rooms, in setup.cfg and in docs/house.md, say what the folders hold."""

from __future__ import annotations

import configparser

import pytest
from house_sources import ROOMS, ROOT, SOURCES

# which rooms may import what from outside; no other does
ALLOWED = {
    "messages": {"mpmm.messages"},
    "rasters": {"mpmm.mapping", "mpmm.scene", "mpmm.synthetic"},
    "estimators": {"mpmm.baselines"},
    "arguments": {"mpmm.commands"},
    "terminal": {"mpmm.display"},
    "plots": {"mpmm.pictures"},
    "settings": {"mpmm.settings"},
    "page": {"mpmm.report"},
}
# rooms of mpmm, and the files that stand beside them
MODULES = {".".join(name) for name in SOURCES if len(name) == 2 and name[0] == "mpmm"}
KERNEL_ROOMS = {".".join(room) for room in ROOMS if room[0] == "mpmm_kernels"}


def contract(name: str) -> configparser.SectionProxy:
    """One import contract of setup.cfg."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser[f"importlinter:contract:{name}"]


def modules(text: str) -> list[str]:
    """Module names in a contract's list; those of one floor are parted by bars."""
    return text.replace("|", " ").split()


@pytest.mark.parametrize(("name", "rooms"), [("floors", MODULES), ("kernel-floors", KERNEL_ROOMS)])
def test_every_room_stands_on_one_floor(name: str, rooms: set[str]) -> None:
    layers = modules(contract(name)["layers"])
    assert len(layers) == len(set(layers))
    assert rooms <= set(layers)


@pytest.mark.parametrize("name", ALLOWED)
def test_a_library_is_forbidden_to_all_rooms_but_its_own(name: str) -> None:
    sources = modules(contract(name)["source_modules"])
    assert set(sources) == (MODULES - ALLOWED[name]) | {"mpmm_kernels"}


def test_the_picture_of_the_house_shows_every_room() -> None:
    text = (ROOT / "docs" / "house.md").read_text(encoding="utf-8")
    assert not [room for room in sorted(MODULES | KERNEL_ROOMS) if room.split(".")[-1] not in text]
