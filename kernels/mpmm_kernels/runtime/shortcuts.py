"""Shortcuts through Numba's compiler: what it works out again and again, worked out once.

Numba asks all that may take an operator's arguments, in turn, at each place where a kernel has it; writes a
module of LLVM's code and has it read to learn how large a type is; takes every tuple of vectors apart to
count references in it, of which there are none; looks for variables in all that a statement holds, its
place in the source too; goes through all lists of what it can compile for entries that are new; and finds,
behind every pass, which variables live where, for generators and for Python's objects alone. The first four
were a seventh of its work in Python; the lists, and what was still asked of variables and references, were a
tenth of a cold compile then.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import BuiltinFunctionType, FunctionType, NoneType
from typing import Any
from weakref import WeakKeyDictionary

from numba.core import base, ir, postproc, transforms, types
from numba.core.runtime import context as counting

# Numba leaves these without annotations
_Function: Any = types.BaseFunction
_Context: Any = base.BaseContext
_References: Any = counting.NRTContext
_Instruction: Any = ir.Inst
_Expression: Any = ir.Expr
_Processor: Any = postproc.PostProcessor
_Lifetime: Any = postproc.VariableLifetime
_canonical: Any = transforms.canonicalize_cfg
_Variable, _Place = ir.Var, ir.Loc

_call_type: Any = _Function.get_call_type
_size: Any = _Context.get_abi_sizeof
_counted: Any = _References.get_meminfos
_variables: Any = _Instruction._rec_list_vars
_refresh: Any = _Context.refresh
_process: Any = _Processor.run

# by a function's number, which is its own while the function is kept here, and by arguments
_call_types: dict[Any, tuple[Any, Any]] = {}
_sizes: dict[str, int] = {}
# by a type's number, likewise
_with_references: dict[int, tuple[Any, bool]] = {}
# how many entries a context's lists had before it was last brought up to date
_entries: WeakKeyDictionary[Any, int] = WeakKeyDictionary()

# what statements hold that holds no variable
_WITHOUT: frozenset[Any] = frozenset(
    {_Place, ir.Const, ir.Global, ir.FreeVar, ir.Arg, type(ir.UNDEFINED), str, int, bool, NoneType}
    | {FunctionType, BuiltinFunctionType}
)


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
    known = _with_references.get(id(kind))
    if known is None:
        model = references._context.data_model_manager[kind]
        known = _with_references[id(kind)] = kind, model.contains_nrt_meminfo()
    return _counted(references, builder, kind, value) if known[1] else []


def _variables_in(instruction: Any, held: Any) -> list[Any]:
    """The variables in what an instruction holds."""
    variables: list[Any] = []
    _collect(instruction, held.values() if type(held) is dict else (held,), variables)
    return variables


def _collect(instruction: Any, parts: Iterable[Any], variables: list[Any]) -> None:
    for part in parts:
        kind = type(part)
        if kind is _Variable:
            variables.append(part)
        elif kind is _Expression:
            _collect(part, part._kws.values(), variables)
        elif kind is tuple or kind is list:
            _collect(instruction, part, variables)
        elif kind is dict:
            _collect(instruction, part.values(), variables)
        elif kind not in _WITHOUT:
            variables.extend(_variables(instruction, part))


def _process_without_lives(processor: Any, emit_dels: bool = False, **named: Any) -> None:
    """Put a kernel's blocks in order behind a pass; its variables' lives are found when asked for."""
    code = processor.func_ir
    if emit_dels or code.is_generator:
        _process(processor, emit_dels, **named)
        return
    code.blocks = _canonical(code.blocks)
    code.variable_lifetime, code.generator_info = _Lifetime(code.blocks), None


def _refresh_if_new(context: Any) -> None:
    """Bring a context up to date with what can be compiled, where more can be than when it last was."""
    entries = _entries_of(context)
    if _entries.get(context) != entries:
        _refresh(context)
        # of before: it may have added some to a list that it had read
        _entries[context] = entries


def _entries_of(context: Any) -> int:
    """How many entries all lists have that a context has read, for types and for code."""
    return sum(
        len(getattr(registry, name))
        for owner in (context, context.typing_context)
        for registry, loader in owner._registries.items()
        for name in loader.registry_items
    )


_SHORTER = (
    (_Function, "get_call_type", _known_call_type),
    (_Context, "get_abi_sizeof", _known_size),
    (_References, "get_meminfos", _counted_in),
    (_Instruction, "_rec_list_vars", _variables_in),
    (_Context, "refresh", _refresh_if_new),
    (_Processor, "run", _process_without_lives),
)


@contextmanager
def shortcuts() -> Iterator[None]:
    """A context in which Numba's compiler takes them; its lock is held."""
    with ExitStack() as stack:
        for owner, name, shorter in _SHORTER:
            stack.callback(setattr, owner, name, vars(owner)[name])
            setattr(owner, name, shorter)
        yield
