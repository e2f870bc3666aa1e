"""Every error that is raised on purpose says what to do about it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from mpmm import errors

PACKAGE = Path(errors.__file__).parent
NAMES = {name for name, item in vars(errors).items() if isinstance(item, type)} | {"MessageError"}


def raised() -> Iterator[tuple[str, ast.Call]]:
    """Where one of ours is made, and how."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NAMES:
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


def test_each_has_a_hint() -> None:
    calls = list(raised())
    assert len(calls) > 50, "the search itself works"
    bare = [where for where, call in calls if len(call.args) < 2 and not call.keywords]
    assert not bare, f"no hint: {', '.join(bare)}"
