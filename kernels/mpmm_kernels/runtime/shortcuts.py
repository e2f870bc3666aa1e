"""Shortcuts through Numba's compiler: what it works out again and again, worked out once.

Numba asks all that may take an operator's arguments, in turn, at each place where a kernel has it; writes a
module of LLVM's code and has it read to learn how large a type is; takes every tuple of vectors apart to
count references in it, of which there are none; and looks for variables in all that a statement holds, its
place in the source too. That was a seventh of its work in Python.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from numba.core import base, ir, types
from numba.core.runtime import context as counting

# Numba leaves these without annotations
_Function: Any = types.BaseFunction
_Context: Any = base.BaseContext
_References: Any = counting.NRTContext
_Instruction: Any = ir.Inst
_Variable, _Place = ir.Var, ir.Loc

_call_type: Any = _Function.get_call_type
_size: Any = _Context.get_abi_sizeof
_counted: Any = _References.get_meminfos
_variables: Any = _Instruction._rec_list_vars

# by a function's number, which is its own while the function is kept here, and by arguments
_call_types: dict[Any, tuple[Any, Any]] = {}
_sizes: dict[str, int] = {}


def _known_call_type(function: Any, context: Any, args: Any, named: Any) -> Any:
    """The signature of one of Numba's own functions for arguments of these types."""
    key = id(function), args, tuple(named.items()) if named else ()
    try:
        known = _call_types.get(key)
    except TypeError:
        # an argument that is a list
        return _call_type(function, context, args, named)
    if known is None:
        known = _call_types[key] = function, _call_type(function, context, args, named)
    return known[1]


def _known_size(context: Any, kind: Any) -> int:
    """Bytes of an LLVM type."""
    text = str(kind)
    if "%" in text:
        # a name, for what may be told later
        return int(_size(context, kind))
    if text not in _sizes:
        _sizes[text] = _size(context, kind)
    return _sizes[text]


def _counted_in(references: Any, builder: Any, kind: Any, value: Any) -> Any:
    """What is counted in a value, with its types."""
    model = references._context.data_model_manager[kind]
    return _counted(references, builder, kind, value) if model.contains_nrt_meminfo() else []


def _variables_in(instruction: Any, held: Any) -> list[Any]:
    """The variables in what an instruction holds."""
    variables: list[Any] = []
    _collect(instruction, held, variables)
    return variables


def _collect(instruction: Any, held: Any, variables: list[Any]) -> None:
    kind = type(held)
    if kind is _Variable:
        variables.append(held)
    elif kind is dict or kind is tuple or kind is list:
        for part in held.values() if kind is dict else held:
            _collect(instruction, part, variables)
    elif kind is not str and kind is not _Place:
        variables.extend(_variables(instruction, held))


_SHORTER = (
    (_Function, "get_call_type", _known_call_type),
    (_Context, "get_abi_sizeof", _known_size),
    (_References, "get_meminfos", _counted_in),
    (_Instruction, "_rec_list_vars", _variables_in),
)


@contextmanager
def shortcuts() -> Iterator[None]:
    """A context in which Numba's compiler takes them; its lock is held."""
    with ExitStack() as stack:
        for owner, name, shorter in _SHORTER:
            stack.callback(setattr, owner, name, vars(owner)[name])
            setattr(owner, name, shorter)
        yield
