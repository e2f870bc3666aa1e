"""Ranks on processors of different kinds: told, or refused where their bits would differ."""

import pytest

from mpmm.errors import RunError
from mpmm.runs.processors import compare_processors


class Gathered:
    """Collectives of ranks whose kinds are known beforehand; the own one counts as rank 0's."""

    def __init__(self, *others):
        self.others = others

    def allgather(self, own):
        return [list(own), *(list(change(*own)) for change in self.others)]


def same(bits, fused, sources):
    return bits, fused, sources


def wider(bits, fused, sources):
    return 2 * bits, fused, sources


def test_ranks_of_one_kind_say_nothing():
    assert compare_processors(Gathered()) is None
    assert compare_processors(Gathered(same, same)) is None


def test_other_widths_are_told_in_one_line():
    line = compare_processors(Gathered(wider, same, wider))
    assert " bits on ranks 0, 2, " in line
    assert line.endswith(" bits on ranks 1, 3: results have the same bits on each")
    assert "\n" not in line


def test_ranks_that_round_otherwise_are_refused():
    other = Gathered(same, lambda bits, fused, sources: (bits, not fused, sources))
    with pytest.raises(RunError, match=r"multiply-add .* on ranks 0, 1, .* on rank 2"):
        compare_processors(other)


def test_ranks_with_other_kernels_are_refused():
    other = Gathered(lambda bits, fused, sources: (bits, fused, "0" * 16))
    with pytest.raises(RunError, match=r"different kernels: \w{16} on rank 0, 0{16} on rank 1"):
        compare_processors(other)
