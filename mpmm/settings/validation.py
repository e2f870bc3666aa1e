"""Reads plain tables into frozen dataclasses, every fault one line that names the key; writes JSON."""

from __future__ import annotations

import difflib
import json
import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from mpmm.errors import ConfigError

if TYPE_CHECKING:
    import pydantic
    import pydantic_core

    from mpmm.settings import values as values
else:
    import lazy_loader

    # one rank of a machine reads settings for all; the others do without a tenth of a start
    pydantic = lazy_loader.load("pydantic")
    pydantic_core = lazy_loader.load("pydantic_core")
    values = lazy_loader.load("mpmm.settings.values", suppress_warning=True)

T = TypeVar("T")


def read_as(kind: type[T], table: object, origin: str) -> T:
    """``table`` (of dicts, lists, strings, numbers) as the dataclass ``kind``; ``origin`` names the file.

    Raises
    ------
    ConfigError
        A key is unknown, missing, out of range or of the wrong type.
    """
    adapter = _adapter(kind)  # type: ignore[arg-type] # mypy takes no type[T] for hashable
    try:
        # JSON is the form in which strict reading takes lists for tuples and whole numbers for floats
        read: T = adapter.validate_json(json.dumps([table], default=str))[0]
    except pydantic.ValidationError as error:
        raise _explained(kind, error.errors(include_url=False), origin) from error
    return read


def as_json(settings: object) -> str:
    """A dataclass as JSON, which `read_as` takes when it is parsed; NaN and infinities become null."""
    return pydantic_core.to_json(settings, indent=2, inf_nan_mode="null").decode()


@cache
def _adapter(kind: type) -> pydantic.TypeAdapter[Any]:
    """What reads this dataclass, made once, for that takes a tenth of a second."""
    # pydantic hands a configuration on to dataclasses inside a type, but takes none for a dataclass itself
    return pydantic.TypeAdapter(tuple[kind], config=pydantic.ConfigDict(extra="forbid", strict=True))  # type: ignore[valid-type]


def _explained(kind: type, faults: list[pydantic_core.ErrorDetails], origin: str) -> ConfigError:
    # an unknown key is most often the cause of a missing one
    first = min(faults, key=lambda fault: not _is_unknown_key(fault))
    # of a union's branches the one that came furthest was meant
    below = [fault for fault in faults if _path(fault)[: len(_path(first))] == _path(first)]
    first = max(below, key=lambda fault: len(_path(fault)))
    path = _path(first)
    where = ".".join(str(part) for part in path) or "the table"
    if _is_unknown_key(first):
        known = _keys_at(kind, path[:-1])
        near = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"
        return ConfigError(f"{origin}: unknown key '{where}'", hint)
    if first["type"] in ("missing", "missing_argument"):
        return ConfigError(f"{origin}: '{where}' is missing", "add it; see docs/configuration.md")
    came = json.dumps(first["input"], default=str)
    came = came if len(came) <= 60 else came[:57] + "..."
    expected = first["msg"][0].lower() + first["msg"][1:]
    return ConfigError(f"{origin}: '{where}' is {came}: {expected}", "see docs/configuration.md")


def _is_unknown_key(fault: pydantic_core.ErrorDetails) -> bool:
    return fault["type"] == "unexpected_keyword_argument"


def _path(fault: pydantic_core.ErrorDetails) -> list[int | str]:
    """Keys and positions at which a fault lies."""
    # an unknown key ends its location, whatever it looks like
    end = len(fault["loc"]) - _is_unknown_key(fault)
    return [*(part for part in fault["loc"][1:end] if not _is_branch(part)), *fault["loc"][end:]]


def _is_branch(part: int | str) -> bool:
    """Whether this part of a location names a branch of a union and not a key."""
    named = isinstance(part, str) and part.startswith(("_", "constrained-"))
    return named or part in ("str", "int", "float") or "[" in str(part)


def _keys_at(kind: object, path: Sequence[int | str]) -> list[str]:
    """Known keys of the dataclass that stands at ``path`` below ``kind``."""
    for part in path:
        kind = next(_below(kind, part), None)
    table = next((item for item in _members(kind) if is_dataclass(item)), None)
    return [] if table is None else [item.name for item in fields(table)]


def _below(kind: object, part: int | str) -> Iterator[object]:
    for member in _members(kind):
        if is_dataclass(member):
            hints = typing.get_type_hints(member, include_extras=False)
            if part in hints:
                yield hints[str(part)]
        elif typing.get_origin(member) in (dict, tuple):
            yield from (arg for arg in typing.get_args(member)[::-1] if arg is not Ellipsis)


def _members(kind: object) -> tuple[Any, ...]:
    """The branches of a union, or the type alone."""
    is_union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    return typing.get_args(kind) if is_union else (kind,)
