"""The source files of the house as data: their names, syntax trees, rooms and imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOUSES = (ROOT / "mpmm", ROOT / "kernels" / "mpmm_kernels")
# a dotted name, part by part
Name = tuple[str, ...]


def _name_of(path: Path) -> Name:
    house = next(house for house in HOUSES if path.is_relative_to(house))
    parts = path.relative_to(house.parent).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


SOURCES = {_name_of(path): path for house in HOUSES for path in sorted(house.rglob("*.py"))}
# the folders right under a house; what lies deeper belongs to its room
ROOMS = {name for name, path in SOURCES.items() if path.name == "__init__.py" and len(name) == 2}


@cache
def tree(name: Name) -> ast.Module:
    """Syntax tree of a source file."""
    return ast.parse(SOURCES[name].read_text(encoding="utf-8"))


def room_of(name: Name) -> str:
    """Room of a source file as "mpmm.scene"; a file of no room stands for itself."""
    return ".".join(name[:2])


def _face_file(room: Name) -> Path:
    stub = SOURCES[room].with_suffix(".pyi")
    return stub if stub.exists() else SOURCES[room]


@cache
def face(room: Name) -> frozenset[str] | None:
    """The names in a room's `__all__`, which a lazy face has in its stub; None without one."""
    for statement in ast.parse(_face_file(room).read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            return frozenset(ast.literal_eval(statement.value))
    return None


def imports(name: Name) -> Iterator[tuple[int, Name, str | None]]:
    """Line, module and imported name of each import in a file, those inside functions too.

    The imported name is None for `import module`.
    """
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, tuple(alias.name.split(".")), None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{SOURCES[name]}:{node.lineno}: imports are absolute"
            module = tuple((node.module or "").split("."))
            yield from ((node.lineno, module, alias.name) for alias in node.names)
