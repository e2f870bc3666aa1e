"""LLVM's passes over a kernel: calls are put in place, loops stay loops, references are not counted twice."""

from llvmlite import binding
from mpmm_kernels.runtime.optimising import optimise
from numba.core import registry

LOOP = """
declare void @step(i64)
declare void @NRT_incref(ptr)
declare void @NRT_decref(ptr)

define internal void @linked(i64 %i) {
  call void @step(i64 %i)
  ret void
}

define void @kernel(ptr %counted) {
entry:
  call void @NRT_incref(ptr %counted)
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  call void @linked(i64 %i)
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, 4
  br i1 %more, label %loop, label %end
end:
  call void @NRT_decref(ptr %counted)
  ret void
}
"""


def test_loops_stay_as_they_are_written():
    """A loop of four turns was written out four times, with the function that it calls in each."""
    module = binding.parse_assembly(LOOP)
    optimise(module, registry.cpu_target.target_context.codegen()._tm)
    module.verify()
    text = str(module)
    assert text.count("call void @step") == 1
    assert "@linked" not in text
    assert "call void @NRT" not in text
