"""What a core of this machine takes for updates and copies."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from mpmm.network import Adam, Parameter

# times that parameters are updated and bytes are copied
_TURNS = 4
# parameters and bytes that no cache holds: a step comes back to its parameters after everything else
_UPDATED = 4_000_000
_COPIED = 64_000_000


def updates_a_second() -> float:
    """Parameters a second that one thread updates, none of them in a cache."""
    parameter = Parameter.trained("measured", np.zeros(_UPDATED, np.float32))
    return _UPDATED / _best(lambda: Adam().update(parameter, 1))


def bytes_a_second() -> float:
    """Bytes a second that one thread copies, none of them in a cache."""
    source, target = np.ones(_COPIED // 4, np.float32), np.zeros(_COPIED // 4, np.float32)
    return _COPIED / _best(lambda: np.copyto(target, source))


def _best(run: Callable[[], object]) -> float:
    """Seconds of the fastest of some turns; the first loads what is needed."""
    seconds = []
    for _ in range(_TURNS):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return min(seconds)
