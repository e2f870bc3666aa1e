"""Kernels whose arguments' types are looked at once."""

import numpy as np
from mpmm_kernels.runtime import CallsByType, SameTypes, compiled
from mpmm_kernels.runtime.dispatcher import KernelDispatcher


@compiled
def add_first(total, numbers):
    """Add the first of some numbers to each element."""
    for i in range(total.size):
        total[i] += numbers[0]


def test_types_are_looked_at_once(monkeypatch):
    looked = []
    typeof = KernelDispatcher.typeof_pyval
    monkeypatch.setattr(
        KernelDispatcher, "typeof_pyval", lambda self, value: looked.append(value) or typeof(self, value)
    )
    kernel, total = SameTypes(add_first), np.zeros(3)
    for number in (1, 2, 4):
        kernel(total, (number, 10))
        seen = len(looked)
    np.testing.assert_array_equal(total, 7)
    kernel(np.zeros(5), (1, 10))
    assert len(looked) == seen > 0


def test_each_has_the_code_of_its_own_types():
    whole, half = SameTypes(add_first), SameTypes(add_first)
    for _ in range(2):
        for kernel, dtype, numbers in ((whole, "float64", (1, 2, 3)), (half, "float32", (0.5,))):
            total = np.zeros(4, dtype)
            kernel(total, numbers)
            np.testing.assert_array_equal(total, numbers[0])


def test_a_block_s_type_has_a_call_of_its_own():
    calls = CallsByType(add_first)
    for dtype in ("float32", "float64", "float32"):
        total = np.zeros(3, dtype)
        calls.of(total.dtype)(total, (2, 3))
        np.testing.assert_array_equal(total, 2)
    assert calls.of(np.dtype("float32")) is calls.of(np.zeros(1, "float32").dtype)
    assert calls.of(np.dtype("float32")) is not calls.of(np.dtype("float64"))


def test_where_nothing_is_compiled_the_function_itself_is_run():
    total = np.zeros(2)
    kernel = SameTypes(add_first.py_func)
    for _ in range(2):
        kernel(total, (1,))
    np.testing.assert_array_equal(total, 2)
