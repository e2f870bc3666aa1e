"""Layers are timed in turns of all sizes, so that a processor that is slow for a while misleads nobody."""

from __future__ import annotations

import math

import pytest

from mpmm.network import BlockSpec, Network, NetworkSpec, Step, StreamSpec
from mpmm.placement import LayerShape, Profile
from mpmm.ranks import layer_timing

BLOCK = BlockSpec(2, (1, 2, 2), pool="none")
SPEC = NetworkSpec((StreamSpec("hsi", 3, 3, (BLOCK,)),), (), 2, kernels="reference")


def test_seconds_in_which_the_processor_is_slow_count_as_they_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample takes 1 forward, 2 backward, half as long again in five rounds of twelve.

    It takes ten times as long in the first round and in one that was interrupted: these do not count. While
    only the fastest rounds counted, steps took a fifth longer than predicted on a machine with neighbours.
    """
    taken: list[tuple[int, int]] = []

    def turn(network: Network, inputs: layer_timing.Turn, step: Step, now: object) -> layer_timing.Turn:
        samples, number = len(next(iter(inputs.values()))), step.number
        taken.append((number, samples))
        slow = 10 if number in (0, layer_timing._MOST) else 1.5 if number % 4 < 2 else 1
        return {"core": [slow * samples, 2 * slow * samples]}

    monkeypatch.setattr(layer_timing, "_turn", turn)
    monkeypatch.setattr(layer_timing, "_SECONDS", math.inf)
    timings = layer_timing.layer_timings(Network(SPEC), {4, 0, 2}, {1})["core"]
    mean = (6 + 5 * 1.5) / 11
    expected = [pytest.approx((2, 1, 2 * mean, 4 * mean)), pytest.approx((4, 1, 4 * mean, 8 * mean))]
    assert [tuple(timing) for timing in map(_plain, timings)] == expected
    rounds = 1 + layer_timing._MOST
    assert taken == [(number, samples) for number in range(rounds) for samples in (2, 4)]


def test_what_slows_one_case_alone_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """While turns were averaged each for itself, half a batch was found 1.2 times as long as it was."""

    def turn(network: Network, inputs: layer_timing.Turn, step: Step, now: object) -> layer_timing.Turn:
        samples = len(next(iter(inputs.values())))
        slow = 1.5 if samples == 2 and step.number % 3 == 0 else 1
        return {"core": [slow * samples, 2 * slow * samples]}

    monkeypatch.setattr(layer_timing, "_turn", turn)
    monkeypatch.setattr(layer_timing, "_SECONDS", math.inf)
    half, whole = layer_timing.layer_timings(Network(SPEC), {2, 40}, {1})["core"]
    assert half.forward / whole.forward == pytest.approx(2 / 40)
    # the rounds with a slow turn take longer by a seventieth, and count
    assert whole.forward == pytest.approx(40, rel=0.01)


def test_shards_are_timed_in_their_groups_and_a_quarter_in_those_of_a_batch_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each group has sums of its own: timed as a batch a quarter seemed to take 1.07 times as long."""

    def turn(network: Network, inputs: layer_timing.Turn, step: Step, now: object) -> layer_timing.Turn:
        samples = len(next(iter(inputs.values())))
        groups = len(step.tree(samples).merges)
        return {"core": [samples + 3 * groups, 0.0]}

    monkeypatch.setattr(layer_timing, "_turn", turn)
    timings = layer_timing.layer_timings(Network(SPEC), {10, 20, 40}, {1})["core"]
    found = [(timing.samples, timing.sums, round(timing.forward, 6)) for timing in timings]
    assert found == [(10, 4, 22), (20, 8, 44), (40, 16, 88), (10, 10, 40)]
    profile, layer = Profile({"core": timings}), LayerShape("core")
    assert profile.seconds(layer, 30, 1) == pytest.approx(30 + 3 * 12), "a shard of three quarters"
    assert profile.seconds(layer, 20, 1, sums=16) == pytest.approx(20 + 3 * 16), "a worker's own batch"


def test_long_steps_are_timed_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers: list[int] = []

    def turn(network: Network, inputs: object, step: Step, now: object) -> layer_timing.Turn:
        numbers.append(step.number)
        return {"core": [float(step.number), 0.0]}

    monkeypatch.setattr(layer_timing, "_turn", turn)
    monkeypatch.setattr(layer_timing, "_SECONDS", 0.0)
    timings = layer_timing.layer_timings(Network(SPEC), {2}, {1})
    assert numbers == list(range(1 + layer_timing._FEWEST))
    assert timings["core"][0].forward == 2.5, "the mean without the first"


def test_measuring_ends_when_turns_have_taken_long_whatever_lies_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pauses by a quota are between, so hosts with a share of a core have as many rounds."""
    numbers: list[int] = []

    def turn(network: Network, inputs: object, step: Step, now: object) -> layer_timing.Turn:
        numbers.append(step.number)
        return {"core": [0.25, 0.75]}

    monkeypatch.setattr(layer_timing, "_turn", turn)
    monkeypatch.setattr(layer_timing, "_SECONDS", 6.5)
    layer_timing.layer_timings(Network(SPEC), {2}, {1})
    assert numbers == list(range(7))


def test_every_layer_of_a_network_is_timed() -> None:
    timings = layer_timing.layer_timings(Network(SPEC), {2, 3}, {1})
    assert {"hsi.block1.convolution", "fusion.output.dense"} <= timings.keys()
    assert all([timing.samples for timing in each] == [2, 3] for each in timings.values())
    assert all(timing.forward > 0 for timing in timings["hsi.block1.convolution"])


def _plain(timing: layer_timing.Timing) -> tuple[float, ...]:
    return timing.samples, timing.threads, timing.forward, timing.backward
