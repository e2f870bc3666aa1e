"""A layout that was found by search is kept for the next start, whatever memory is free then."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from placement_networks import network

from mpmm.errors import LayoutError
from mpmm.placement import Choice, Host, LayoutOptions, Machine, Profile, choose
from mpmm.preparation import searching
from mpmm.preparation.placing import Placing

GIBIBYTE = 2**30
SHAPE = network({"hsi": [10**8, 10**8], "rgb": [10**8]})


@pytest.fixture
def searches(monkeypatch, tmp_path):
    """The problems that were searched for, with a cache of the test's own and a profile that is given."""
    problems = []

    def counted(problem, *rest):
        problems.append(problem)
        return choose(problem, *rest)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(searching, "choose", counted)
    monkeypatch.setattr(searching, "profile_of", lambda *_: Profile())
    return problems


def found(
    memory: float, held: tuple[str, ...] = ("hsi", "labels", "rgb"), cores: int = 2, hosts: int = 1
) -> Choice:
    """What two ranks of hosts with so much memory get, each of which has these files."""
    machine = Machine((Host(cores=cores, memory=memory),) * hosts, (0, hosts - 1))
    config = SimpleNamespace(training=SimpleNamespace(batch=8), layout_options=LayoutOptions())
    inventory = SimpleNamespace(held=(frozenset({"hsi", "labels", "rgb"}), frozenset(held)))
    return searching._choice(Placing(None, config, None, SHAPE, inventory, True), machine)


def test_the_next_start_takes_the_choice_whatever_memory_is_free(searches):
    first = found(64 * GIBIBYTE)
    assert found(32 * GIBIBYTE) == first
    assert len(searches) == 1


def test_what_is_found_for_several_hosts_is_not_kept(searches, tmp_path: Path):
    """Their links are measured anew each time: files that nobody reads again would pile up."""
    assert found(64 * GIBIBYTE, hosts=2) == found(64 * GIBIBYTE, hosts=2)
    assert len(searches) == 2
    assert not (tmp_path / "mpmm" / "choices").exists()


@pytest.mark.parametrize("other", [{"held": ("labels",)}, {"cores": 4}])
def test_other_files_or_cores_are_another_problem(searches, other):
    found(64 * GIBIBYTE)
    found(64 * GIBIBYTE, **other)
    assert len(searches) == 2


def test_other_predictions_or_another_search_find_anew(searches, monkeypatch):
    found(64 * GIBIBYTE)
    monkeypatch.setattr(searching, "sources_key", lambda _: "changed")
    found(64 * GIBIBYTE)
    assert len(searches) == 2


def test_a_choice_that_does_not_fit_is_searched_for_within_memory(searches):
    found(64 * GIBIBYTE)
    with pytest.raises(LayoutError, match="lacks the memory"):
        found(1000)
    assert [problem.machine.hosts[0].memory for problem in searches] == [float("inf"), 1000]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"layout": {"options": {"x": 1}}}'])
def test_a_damaged_choice_is_found_anew(searches, tmp_path: Path, text):
    first = found(64 * GIBIBYTE)
    (file,) = (tmp_path / "mpmm" / "choices").iterdir()
    whole = json.loads(file.read_text())
    file.write_text(text)
    assert found(64 * GIBIBYTE) == first
    assert len(searches) == 2
    assert json.loads(file.read_text()) == whole


def test_a_cache_that_cannot_be_written_searches_each_time(searches, tmp_path: Path):
    (tmp_path / "mpmm").write_text("no folder")
    assert found(64 * GIBIBYTE) == found(64 * GIBIBYTE)
    assert len(searches) == 2
