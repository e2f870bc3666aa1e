"""What can be counted of how the code reads: a bound for each room, which only ever gets lower.

A room that is not named has 0. Who lowers a count lowers its bound here in the same commit.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from house_sources import ROOT, SOURCES, Name, room_of, tree

# a function takes at most so many arguments (compiled kernels apart), a call so many by position
MOST_ARGUMENTS = 6
MOST_POSITIONAL = 8
MOST_LINES = 325
LEAST_WORDS = 4
# names that only their author completes
VAGUE = {"one", "found", "what", "place", "tell", "told", "kept", "wanted", "asked"}


def functions(name: Name) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of a file, methods and inner ones too."""
    return (node for node in ast.walk(tree(name)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def documented(name: Name) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Every function and class whose name is public."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return (n for n in ast.walk(tree(name)) if isinstance(n, kinds) and not n.name.startswith("_"))


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Names of the parameters that a caller gives."""
    every = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return [each.arg for each in every if each.arg not in ("self", "cls")]


def is_compiled(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether Numba compiles the function: its arguments are flat by need."""
    return any("compiled" in ast.unparse(decorator) for decorator in function.decorator_list)


def wide_functions(name: Name) -> Iterator[tuple[int, str]]:
    """Functions of more arguments than anybody holds in mind."""
    for function in functions(name):
        if len(parameters(function)) > MOST_ARGUMENTS and not is_compiled(function):
            yield function.lineno, function.name


def wide_calls(name: Name) -> Iterator[tuple[int, str]]:
    """Calls whose positional arguments could be swapped unseen."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Call):
            plain = [argument for argument in node.args if not isinstance(argument, ast.Starred)]
            if len(plain) > MOST_POSITIONAL:
                yield node.lineno, ast.unparse(node.func)


def short_first_lines(name: Name) -> Iterator[tuple[int, str]]:
    """Public docstrings whose first line is no sentence."""
    for node in documented(name):
        words = (ast.get_docstring(node) or "").split("\n")[0].split()
        if 0 < len(words) < LEAST_WORDS:
            yield node.lineno, node.name


def bare_names(name: Name) -> Iterator[tuple[int, str]]:
    """Public functions and classes without a docstring."""
    return ((node.lineno, node.name) for node in documented(name) if ast.get_docstring(node) is None)


def vague_names(name: Name) -> Iterator[tuple[int, str]]:
    """Variables and parameters with a name for which there is a noun."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in VAGUE:
            yield node.lineno, node.id
        elif isinstance(node, ast.arg) and node.arg in VAGUE:
            yield node.lineno, node.arg


def long_files(name: Name) -> Iterator[tuple[int, str]]:
    """Files longer than a reader takes in."""
    lines = len(SOURCES[name].read_text(encoding="utf-8").splitlines())
    if lines > MOST_LINES:
        yield lines, "lines"


BOUNDS: dict[Callable[[Name], Iterator[tuple[int, str]]], dict[str, int]] = {
    wide_functions: {},
    wide_calls: {},
    short_first_lines: {},
    bare_names: {
        "mpmm_kernels.convolution": 23,
        "mpmm_kernels.runtime": 6,
        "mpmm_kernels.vector": 25,
    },
    vague_names: {
        "mpmm_kernels.convolution": 3,
        "mpmm_kernels.layers": 1,
        "mpmm_kernels.vector": 6,
    },
    long_files: {},
}
# class names that two files give to different things
CLASSES_TWICE: set[str] = set()


@pytest.mark.parametrize("count", BOUNDS, ids=lambda count: count.__name__)
def test_no_room_is_over_its_bound(count: Callable[[Name], Iterator[tuple[int, str]]]) -> None:
    cases = [(name, line, item) for name in SOURCES for line, item in count(name)]
    rooms = Counter(room_of(name) for name, _, _ in cases)
    over = {room for room, number in rooms.items() if number > BOUNDS[count].get(room, 0)}
    listed = [
        f"{SOURCES[name].relative_to(ROOT)}:{line} {item}"
        for name, line, item in cases
        if room_of(name) in over
    ]
    assert not over, f"{dict(rooms)}\n" + "\n".join(listed)


def test_a_class_name_means_one_thing() -> None:
    classes = Counter(
        node.name for name in SOURCES for node in ast.walk(tree(name)) if isinstance(node, ast.ClassDef)
    )
    assert {name for name, number in classes.items() if number > 1} <= CLASSES_TWICE
