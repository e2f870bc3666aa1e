"""One compute thread for the tests of this room: their arrays are small, and the cores are shared."""

from collections.abc import Iterator

import pytest
from mpmm_kernels.runtime import computing_threads, set_threads


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = computing_threads()
    set_threads(1)
    yield
    set_threads(before)
