"""A virtual cluster for a test, which is gone when the test is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count

import pytest
from virtual_clusters import VirtualCluster, why_not

NUMBERS = count()


@pytest.fixture
def cluster() -> Iterator[VirtualCluster]:
    """A name that nobody else has; the test brings the cluster up."""
    if reason := why_not():
        pytest.skip(reason)
    cluster = VirtualCluster(f"test{os.getpid()}-{next(NUMBERS)}")
    yield cluster
    cluster.call("down")
    assert cluster.remains() == []
