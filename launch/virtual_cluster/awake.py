"""Cores that stay awake while hosts have nothing to do.

A core without work sleeps, and a virtual machine's is given to others meanwhile; its next work begins late,
on cold caches. A host would pay for that after each time that its quota held it back, and by other machines'
load: a training step on 35% of a core took 1.28 times the CPU time of one on a whole core.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

# while it is held open, idle cores poll if 0 us is written to it (Documentation/power/pm_qos_interface.rst)
LATENCY = Path("/dev/cpu_dma_latency")


def may_sleep(latency: Path = LATENCY) -> str | None:
    """A warning if cores can't be kept awake here; None if they can."""
    try:
        with open(latency, "r+b", buffering=0):
            return None
    except OSError as error:
        return (
            "idle cores may sleep, so hosts wake late and compute slower "
            f"({latency}: {error.strerror}); a container needs --device {LATENCY}"
        )


@contextmanager
def cores_awake(latency: Path = LATENCY) -> Iterator[None]:
    """Keep the machine's idle cores awake in the block, if that can be; a killed process lets them sleep."""
    with ExitStack() as stack:
        with suppress(OSError):
            request = stack.enter_context(open(latency, "r+b", buffering=0))
            request.write(struct.pack("=i", 0))
        yield
