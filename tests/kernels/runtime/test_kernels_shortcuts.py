"""Shortcuts through Numba's compiler: what it works out by them is what it works out without."""

import operator

import numba
import pytest
from llvmlite import ir
from mpmm_kernels.arrays import sum_groups
from mpmm_kernels.runtime import compiled
from mpmm_kernels.runtime.shortcuts import shortcuts
from mpmm_kernels.vector import Vector
from mpmm_kernels.vector.copy import copy_columns
from numba import extending, types
from numba.core import compiler, postproc, registry

TYPING = registry.cpu_target.typing_context
# a context of its own: what it has worked out about references is copied to all that are made of it
CONTEXT = registry.cpu_target.target_context.subtarget(enable_nrt=True)
FLOATS = types.Array(types.float32, 1, "C")


def both(work_out):
    """What Numba works out with the shortcuts, twice, and without."""
    with shortcuts():
        shorter = [work_out() for _ in range(2)]
    return [*shorter, work_out()]


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        (ir.IntType(1), 1),
        (ir.VectorType(ir.FloatType(), 8), 32),
        (ir.LiteralStructType([ir.DoubleType(), ir.IntType(32)]), 16),
        (ir.IntType(8).as_pointer(), 8),
    ],
)
def test_sizes_of_types(kind, size):
    """A type is as large as LLVM says, the first time and later."""
    assert both(lambda: CONTEXT.get_abi_sizeof(kind)) == [size] * 3


def test_a_named_type_is_measured_again():
    """What a name stands for may be told between two questions."""
    sizes = []
    with shortcuts():
        for bits in (64, 32):
            context = ir.Context()
            kind = context.get_identified_type("told later")
            kind.set_body(ir.IntType(bits))
            kind.get_abi_size = lambda data, size=bits // 8: size
            sizes.append(CONTEXT.get_abi_sizeof(kind))
    assert sizes == [8, 4]


@pytest.mark.parametrize("kernel", [copy_columns, sum_groups])
def test_variables_of_statements(kernel):
    """Every statement has the same variables in the same order, calls with names of arguments among them."""
    blocks = compiler.run_frontend(getattr(kernel, "py_func", kernel)).blocks.values()
    statements = [statement for block in blocks for statement in block.body]
    shorter, again, without = both(lambda: [statement.list_vars() for statement in statements])
    assert shorter == again == without
    assert sum(map(len, without)) > len(statements)


@pytest.mark.parametrize(
    "args",
    [
        (types.int64, types.int64),
        (types.float32, types.int64),
        (types.literal(1), types.literal(2)),
        (FLOATS, FLOATS),
    ],
)
def test_signatures_of_operators(args):
    """An operator takes and gives the same types."""
    TYPING.refresh()
    plus = TYPING.resolve_value_type(operator.add)
    shorter, again, without = both(lambda: plus.get_call_type(TYPING, args, {}))
    assert shorter == again == without


def test_references_are_counted_where_there_are_some():
    """A tuple of vectors has none, an array has one, and a tuple of both has that."""

    def counted(kind):
        module = ir.Module()
        emitted = CONTEXT.get_value_type(kind)
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [emitted]), "f")
        builder = ir.IRBuilder(function.append_basic_block())
        members = CONTEXT.nrt.get_meminfos(builder, kind, function.args[0])
        return [kind for kind, _ in members]

    vectors = types.UniTuple(Vector(types.float32), 4)
    assert both(lambda: counted(vectors)) == [[]] * 3
    assert both(lambda: counted(types.Tuple([vectors, FLOATS]))) == [counted(FLOATS)] * 3
    assert len(counted(FLOATS)) == 1


def summed(array):
    total = 0.0
    for number in range(len(array)):
        total += array[number] if array[number] > 0 else 1.0
    return total


def numbers(most):
    number = 0
    while number < most:
        yield number
        number += 1


@pytest.mark.parametrize("deletions", [False, True])
@pytest.mark.parametrize("function", [summed, numbers])
def test_blocks_and_lives_behind_a_pass(function, deletions):
    """Blocks, deletions, who lives where and what a generator keeps are the same."""

    def processed():
        code = compiler.run_frontend(function)
        postproc.PostProcessor(code).run(deletions)
        blocks = {place: [str(statement) for statement in block.body] for place, block in code.blocks.items()}
        info = code.generator_info
        return blocks, code.variable_lifetime.livemap, info and info.state_vars

    shorter, again, without = both(processed)
    assert shorter == again == without


def test_what_came_since_can_be_compiled():
    """A context takes what was registered after it had last looked."""

    def late(x):
        return x

    with shortcuts():
        for _ in range(3):
            CONTEXT.refresh()
        extending.overload(late)(lambda x: lambda x: x)
        with pytest.raises(ValueError, match="Cannot determine Numba type"):
            TYPING.resolve_value_type(late)
        CONTEXT.refresh()
        assert isinstance(TYPING.resolve_value_type(late), types.Function)


def test_numba_is_left_as_it_was():
    """Functions of others go Numba's way, even after one of ours within another could not be compiled."""

    def taken():
        return types.BaseFunction.get_call_type, CONTEXT.get_abi_sizeof.__func__

    before = taken()
    with shortcuts(), shortcuts():
        assert set(before).isdisjoint(taken())
    assert taken() == before
    with pytest.raises(numba.errors.TypingError):
        not_typed(1)
    assert taken() == before


@compiled
def not_typed(x):
    return x.missing
