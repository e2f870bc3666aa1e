"""States of network and optimizer: round trips, and every misfit refused before anything is changed."""

import numpy as np
import pytest
from network_examples import random_batch, small
from network_training import train

from mpmm.errors import NetworkError
from mpmm.network import Adam, Network, Parameter, parameters_sha256, state_sha256

SPEC = small("float32")


def trained():
    network = Network(SPEC)
    return network, train(network, *random_batch(SPEC, 6), 2)


def test_a_loaded_state_goes_on_with_the_same_bits():
    network, optimizer = trained()
    other, again = Network(small("float32", seed=99)), Adam()
    other.load(network.state())
    again.load_state(optimizer.state(), other.parameters)
    assert parameters_sha256(other) == parameters_sha256(network)
    for net, moments in ((network, optimizer), (other, again)):
        train(net, *random_batch(SPEC, 6, seed=5), 2, moments, first=3)
    assert parameters_sha256(other) == parameters_sha256(network)
    assert state_sha256(again.state()) == state_sha256(optimizer.state())


def test_updated_in_one_pass_a_network_has_the_same_bits():
    """Also where a layer gets other arrays, or the moments are loaded, between two updates."""
    networks, optimizers = [Network(SPEC) for _ in range(2)], [Adam(decay=0.01) for _ in range(2)]
    for number in range(1, 6):
        for network in networks:
            if number == 3:
                layer = network.blocks["hsi.block1"].layers[0]
                layer.take_values(layer.values.copy())
            for parameter in network.parameters.values():
                chance = np.random.default_rng([number, len(parameter.name)])
                parameter.gradient[...] = chance.standard_normal(parameter.gradient.shape)
        if number == 4:
            optimizers[1].load_state(optimizers[0].state(), networks[1].parameters)
        for parameter in networks[0].parameters.values():
            optimizers[0].update(parameter, number)
        optimizers[1].update_all(networks[1].parameters.values(), number)
        assert parameters_sha256(networks[1]) == parameters_sha256(networks[0])
        assert state_sha256(optimizers[1].state()) == state_sha256(optimizers[0].state())


def test_a_parameter_that_no_pass_can_update_is_refused():
    value = np.zeros((4, 6), "float32").T
    with pytest.raises(
        NetworkError, match=r"contiguous arrays of float32 \(6, 4\), one is float32 \(6, 4\) with"
    ):
        Adam().update_all([Parameter("turned", value, value.copy())], 1)


def test_a_state_is_a_copy():
    network, optimizer = trained()
    for state in (network.state(), optimizer.state()):
        for array in state.values():
            array[...] = 7
    assert all((parameter.value != 7).any() for parameter in network.parameters.values())
    assert all((array != 7).any() for array in optimizer.state().values())


def test_names_are_in_order():
    network, optimizer = trained()
    assert list(network.state()) == sorted(network.state())
    assert list(optimizer.state()) == sorted(optimizer.state())


def test_every_misfit_is_refused_and_changes_nothing():
    network, _ = trained()
    before, state = parameters_sha256(network), network.state()
    bias = "fusion.output.dense.bias"
    state["fusion.block1.dense.bias"] += 1
    misfits = {
        f"parameter missing: {bias}": {name: value for name, value in state.items() if name != bias},
        "unexpected parameter: sar.bias": {**state, "sar.bias": np.zeros(1)},
        f"parameter {bias} has shape (6,), expected (5,)": {**state, bias: np.zeros(6)},
        "parameter missing: fusion.block1.dense.bias and 27 more": {},
    }
    for message, values in misfits.items():
        with pytest.raises(NetworkError) as caught:
            network.load(values)
        assert caught.value.problem == message
        assert parameters_sha256(network) == before


def test_moments_of_another_network_are_refused():
    network, optimizer = trained()
    state = optimizer.state()
    name = "first.hsi.head.dense1.bias"
    with pytest.raises(NetworkError, match=f"moment missing: {name}"):
        Adam().load_state({key: value for key, value in state.items() if key != name}, network.parameters)
    with pytest.raises(NetworkError, match=f"moment {name} has shape"):
        Adam().load_state({**state, name: np.zeros(3)}, network.parameters)


def test_no_moments_are_a_fresh_start():
    network, optimizer = trained()
    optimizer.load_state({}, network.parameters)
    assert optimizer.state() == {}


def test_adams_first_step_is_the_rate():
    """Bias correction: with any gradient the first step has the length of the rate, against its sign."""
    parameter = Parameter.trained("p", np.zeros(4))
    parameter.gradient[:] = [1e-3, -1.0, 250.0, 0.0]
    Adam(rate=0.01).update(parameter, 1)
    np.testing.assert_allclose(parameter.value, [-0.01, 0.01, -0.01, 0.0], rtol=1e-4)


def test_decay_takes_from_weights_only():
    weights, bias = Parameter.trained("w", np.ones((2, 2))), Parameter.trained("b", np.ones(2))
    for parameter in (weights, bias):
        Adam(rate=0.1, decay=0.5).update(parameter, 1)
    np.testing.assert_allclose(weights.value, 0.95)
    np.testing.assert_allclose(bias.value, 1.0)


def test_a_statistic_moves_by_the_exponential_average():
    statistic = Parameter.statistic("s", np.array([1.0]))
    Adam(average=0.75).update(statistic, 1)
    assert statistic.value[0] == 1.0
    statistic.gradient[:] = 5.0
    Adam(average=0.75).update(statistic, 1)
    assert statistic.value[0] == 2.0


def test_the_hash_covers_names_shapes_dtypes_and_bits():
    base = {"a": np.zeros(4), "b": np.ones(2)}
    assert state_sha256(base) == state_sha256(dict(reversed(base.items())))
    others = [
        {"a": np.zeros(4), "c": np.ones(2)},
        {"a": np.zeros((2, 2)), "b": np.ones(2)},
        {"a": np.zeros(4, "int64"), "b": np.ones(2)},
        {"a": -np.zeros(4), "b": np.ones(2)},
    ]
    hashes = {state_sha256(values) for values in (base, *others)}
    assert len(hashes) == 5
