"""Compiles a network's kernels in processes side by side: Numba compiles one at a time within a process."""

from __future__ import annotations

import os
import pickle
import selectors
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from types import TracebackType

from mpmm.network import NetworkSpec, Use

# Taken when the program starts: later this process may be bound to some of them, as a rank among others is
_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
_PROGRAM = """\
from mpmm_kernels.runtime import kept_to_the_end
with kept_to_the_end():
    from mpmm.network.on_zeros import main
main()
"""
# seconds between two signs of life while kernels are compiled
_SIGN = 1.0


def compile_side_by_side(
    spec: NetworkSpec, names: Sequence[str], uses: Collection[Use], compiling: Callable[[float], None]
) -> None:
    """Have processes, one a core, run these blocks on zeros, and end them.

    What a process leaves undone, because it was killed or could not start, is left to the caller, who runs
    the blocks anyway.

    Parameters
    ----------
    spec
        The network.
    names
        Of its blocks, or `UPDATE` or `READER`, in the order in which they are begun.
    uses
        What the kernels are for.
    compiling
        Called every second with the share that is done.
    """
    helpers = min(len(_CORES), len(names))
    if helpers < 2 or not sys.executable:
        return
    waiting, done = list(names), 0
    with ExitStack() as stack:
        busy = stack.enter_context(selectors.DefaultSelector())
        for _ in range(helpers):
            helper = stack.enter_context(_Helper(spec, uses))
            helper.begin(waiting.pop(0))
            busy.register(helper.answers, selectors.EVENT_READ, helper)
        while busy.get_map():
            compiling(done / len(names))
            for key, _ in busy.select(_SIGN):
                done += 1
                if not (key.data.answered() and waiting and key.data.begin(waiting.pop(0))):
                    busy.unregister(key.fileobj)


class _Helper:
    """A process that runs a network's blocks on zeros, one at a time, on any of the machine's cores."""

    def __init__(self, spec: NetworkSpec, uses: Collection[Use]) -> None:
        paths = os.pathsep.join(path for path in sys.path if path)
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths, "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.orders, self.answers = self.process.stdin, self.process.stdout
        self._send(pickle.dumps((spec, _CORES, tuple(uses))))

    def __enter__(self) -> _Helper:
        return self

    def begin(self, name: str) -> bool:
        """Give it a block; whether it still takes one."""
        return self._send(f"{name}\n".encode())

    def answered(self) -> bool:
        """Take its answer; whether it is one, and not its end."""
        return self.answers.read(1) == b"."

    def _send(self, order: bytes) -> bool:
        try:
            self.orders.write(order)
        except BrokenPipeError:
            return False
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.orders.close()
        self.answers.close()
        self.process.wait()
