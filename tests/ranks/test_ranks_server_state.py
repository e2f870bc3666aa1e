"""What the server keeps and sends: flat parameters, weighted means, states of the last complete step."""

import numpy as np
import pytest

from mpmm.network import Adam, BlockSpec, DenseSpec, Network, NetworkSpec, StreamSpec, state_sha256
from mpmm.ranks.counters import Counters
from mpmm.ranks.flat import flat_of, pack, unpack, weighted_mean
from mpmm.ranks.parameter_store import ParameterStore
from mpmm.ranks.snapshot import Snapshot

SPEC = NetworkSpec(
    (StreamSpec("hsi", 6, 5, (BlockSpec(2, (3, 3, 3), window=(2, 1, 1)),), (DenseSpec(4),)),),
    (),
    classes=3,
    kernels="reference",
)


def moved(steps: int = 2) -> tuple[Network, Adam, Counters]:
    """A network some updates from its start."""
    network, adam, random = Network(SPEC), Adam(), np.random.default_rng(1)
    for number in range(steps):
        for parameter in network.parameters.values():
            parameter.gradient[...] = random.normal(size=parameter.gradient.shape)
            adam.update(parameter, number + 1)
    return network, adam, Counters(step=steps, position=steps, loss_sum=1.25, correct=3, seen=8)


def test_unpacking_is_the_inverse_of_packing():
    arrays = [np.arange(6.0).reshape(2, 3), np.array([7.0]), np.full((2, 1, 2), 9.0)]
    flat = flat_of(arrays, arrays[0].dtype)
    others = [np.zeros_like(array) for array in arrays]
    unpack(flat, others)
    assert all((a == b).all() for a, b in zip(arrays, others, strict=True))
    assert (pack(others, np.empty(11)) == flat).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_means_are_weighted_by_samples_and_stay_in_their_dtype(dtype):
    flats = [np.array([1.0, -2.0], dtype), np.array([4.0, 4.0], dtype)]
    mean = weighted_mean(flats, [30, 10])
    assert mean.dtype == dtype
    np.testing.assert_allclose(mean, [1.75, -0.5], rtol=1e-6)
    assert weighted_mean(flats[:1], [30]) is flats[0]


def test_a_state_holds_what_a_checkpoint_does():
    network, adam, counters = moved()
    state = Snapshot(network)
    state.take(adam, counters)
    found = state.arrays()
    assert state_sha256(found["parameters"]) == state_sha256(network.state())
    assert state_sha256(found["moments"]) == state_sha256(adam.state())
    assert list(state.counters[:6]) == [2, 0, 2, 1.25, 3, 8]


def test_a_state_goes_into_another_network_and_optimizer():
    network, adam, counters = moved()
    state = Snapshot(network)
    state.take(adam, counters)
    other = Network(SPEC)
    copy = Snapshot(other)
    copy.copy_from(state.parts)
    copy.put_into_network()
    assert state_sha256(other.state()) == state_sha256(network.state())
    resumed = Snapshot(other)
    resumed.put(state.arrays()["moments"])
    assert (resumed.first == state.first).all()
    assert (resumed.second == state.second).all()


def test_what_is_complete_is_not_touched_by_the_step_under_way():
    network, adam, counters = moved()
    store = ParameterStore(network, adam, counters)
    before = state_sha256(store.complete.arrays()["parameters"])
    layer = next(layer for block in network.blocks.values() for layer in block.layers if layer.parameters)
    gradient = flat_of([np.ones_like(one.value) for one in layer.parameters], network.spec.dtype)
    store.update(layer.name, [(gradient, 4)], counters.step)
    assert state_sha256(network.state()) != before
    assert state_sha256(store.complete.arrays()["parameters"]) == before
    store.remember()
    assert state_sha256(store.complete.arrays()["parameters"]) == state_sha256(network.state())


def test_own_gradients_count_as_those_that_were_pushed():
    updated = []
    for own in (True, False):
        network, adam, counters = moved()
        store = ParameterStore(network, adam, counters)
        layer = next(layer for block in network.blocks.values() for layer in block.layers if layer.parameters)
        for one in layer.parameters:
            one.gradient[...] = 0.5
        mine = (
            layer.gradients[0]
            if own
            else flat_of([one.gradient for one in layer.parameters], network.spec.dtype)
        )
        other = flat_of([np.full_like(one.gradient, 2.0) for one in layer.parameters], network.spec.dtype)
        store.update(layer.name, [(mine, 1), (other, 3)], counters.step)
        updated.append(state_sha256(network.state()))
    assert updated[0] == updated[1]


def test_two_snapshots_may_be_under_way():
    network, adam, counters = moved()
    store = ParameterStore(network, adam, counters)
    store.freeze()
    first = store.sent_part(1)
    kept = first.copy()
    for parameter in network.parameters.values():
        parameter.value[...] += 1
    store.remember()
    store.freeze()
    assert (first == kept).all()
    assert (store.sent_part(1) == kept + 1).all()
