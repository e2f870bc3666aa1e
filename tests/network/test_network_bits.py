"""The same bits at any number of threads, in any order of building, and in parts of a network."""

import random
from dataclasses import replace

import numpy as np
import pytest
from mpmm_kernels.runtime import available_threads, set_threads
from network_examples import TRAINING, random_batch, reduced_paper, small
from network_training import train

from mpmm.network import Network, SoftmaxCrossEntropy, Step, parameters_sha256
from mpmm.network.build import block_builders

SPEC = small("float32")


def one_step(threads):
    """Bytes of the logits and of every gradient after one forward and backward."""
    set_threads(threads)
    network = Network(SPEC)
    patches, labels = random_batch(SPEC, 21)
    logits = network.forward(patches, TRAINING).copy()
    network.backward(SoftmaxCrossEntropy()(logits, labels).dlogits)
    return logits.tobytes(), {
        name: parameter.gradient.tobytes() for name, parameter in network.parameters.items()
    }


def after_training(spec, threads, samples):
    set_threads(threads)
    network = Network(spec)
    train(network, *random_batch(spec, samples), 20)
    return parameters_sha256(network)


@pytest.mark.skipif(available_threads() < 2, reason="this process may use one thread only")
def test_forward_and_backward_at_one_and_two_threads():
    assert one_step(1) == one_step(2)


@pytest.mark.skipif(available_threads() < 2, reason="this process may use one thread only")
@pytest.mark.parametrize(
    ("spec", "samples"), [(SPEC, 21), (reduced_paper("float32"), 9)], ids=["small", "paper"]
)
def test_twenty_steps_at_one_and_two_threads(spec, samples):
    assert after_training(spec, 1, samples) == after_training(spec, 2, samples)


def test_training_changes_every_parameter():
    """So that equal hashes above mean something."""
    network, fresh = Network(SPEC), Network(SPEC)
    train(network, *random_batch(SPEC, 21), 3)
    unchanged = [
        name for name, value in network.state().items() if np.array_equal(value, fresh.parameters[name].value)
    ]
    assert unchanged == []


def test_initial_parameters_do_not_depend_on_the_order_of_building():
    builders = block_builders(SPEC)
    names = list(builders)
    random.Random(0).shuffle(names)
    shuffled = {
        parameter.name: parameter.value for name in names for parameter in builders[name]().parameters
    }
    whole = Network(SPEC).state()
    assert sorted(shuffled) == list(whole)
    assert all(np.array_equal(shuffled[name], whole[name]) for name in whole)


def test_a_part_of_a_network_holds_what_the_whole_does():
    whole = Network(SPEC)
    part = Network(SPEC, only={"hsi.block2", "fusion.output"})
    assert list(part.blocks) == ["hsi.block2", "fusion.output"]
    assert {name.rsplit(".", 2)[0] for name in part.parameters} == set(part.blocks)
    for name, parameter in part.parameters.items():
        assert np.array_equal(parameter.value, whole.parameters[name].value)


def test_weights_that_are_not_drawn_are_zeros_of_their_shapes():
    drawn, zeros = Network(SPEC), Network(SPEC, drawn=False)
    assert [(name, value.shape, value.dtype) for name, value in drawn.state().items()] == [
        (name, value.shape, value.dtype) for name, value in zeros.state().items()
    ]
    weights = [value for name, value in zeros.state().items() if name.endswith("weights")]
    assert len(weights) == 8
    assert not any(value.any() for value in weights)
    zeros.load(drawn.state())
    assert parameters_sha256(zeros) == parameters_sha256(drawn)


def test_seed_and_name_decide_the_initial_parameters():
    hsi, again = Network(small(seed=1)).state(), Network(small(seed=2)).state()
    assert not np.array_equal(hsi["hsi.head.dense1.weights"], again["hsi.head.dense1.weights"])
    twins = [hsi["hsi.block1.convolution.weights"].ravel(), hsi["rgb.block1.convolution.weights"].ravel()]
    assert not np.array_equal(twins[0][:50], twins[1][:50])


def test_starts_differ_in_scale_alone():
    """The same numbers are drawn by seed and name, whatever they are scaled by."""
    he, glorot, fan_in = (Network(replace(SPEC, start=start)).state() for start in ("he", "glorot", "fan_in"))
    assert all(np.array_equal(fan_in[name], value) for name, value in Network(SPEC).state().items())
    for name, ins, outs in (
        ("hsi.block2.convolution.weights", 27 * 4, 27 * 6),
        ("fusion.block1.dense.weights", 15, 9),
    ):
        np.testing.assert_allclose(glorot[name], he[name] * np.sqrt(ins / (ins + outs)), rtol=1e-6)
        np.testing.assert_allclose(fan_in[name], he[name] / np.sqrt(6), rtol=1e-6)


@pytest.mark.parametrize("start", ["he", "fan_in"])
def test_initial_weights_of_a_start_stay_as_they_are(start):
    """Pinned: a run that is told its start by its configuration begins with the same bits for good."""
    pins = {"he": "a0c421e7a0fb", "fan_in": "213aa798c74e"}
    assert parameters_sha256(Network(replace(SPEC, start=start)))[:12] == pins[start]


def test_float32_starts_from_float64s_values_rounded():
    wide, narrow = Network(small("float64")).state(), Network(small("float32")).state()
    assert all(np.array_equal(wide[name].astype("float32"), narrow[name]) for name in wide)


@pytest.mark.parametrize(
    ("start", "activation", "variance"),
    [
        ("he", "relu", 2 / 300),
        ("he", "sigmoid", 2 / 700),
        ("he", "none", 2 / 700),
        ("glorot", "relu", 2 / 700),
        ("glorot", "none", 2 / 700),
        ("fan_in", "relu", 1 / 900),
        ("fan_in", "none", 1 / 900),
    ],
)
def test_initial_weights_have_the_starts_variance(start, activation, variance):
    from mpmm.network.initialisation import Initializer

    drawn = Initializer(0, "float64", start).weights("x", (300, 400), 300, 400, activation)
    assert drawn.var() == pytest.approx(variance, rel=0.02)
    assert abs(drawn.mean()) < 3 * np.sqrt(variance / drawn.size)
    assert np.abs(drawn).max() <= np.sqrt(3 * variance)


def test_blocks_played_one_by_one_in_parts_equal_the_network():
    """Two networks with half of the blocks each, their outputs and gradients passed on as ranks would."""
    whole = Network(SPEC)
    patches, labels = random_batch(SPEC, 6)
    expected = whole.forward(patches, TRAINING)
    dlogits = SoftmaxCrossEntropy()(expected, labels).dlogits
    whole.backward(dlogits)
    names = list(whole.blocks)
    parts = [Network(SPEC, only=names[0::2]), Network(SPEC, only=names[1::2])]
    blocks = {name: part.blocks[name] for name in names for part in parts if name in part.blocks}
    outputs = dict(patches)
    for name, block in blocks.items():
        outputs[name] = block.forward(outputs, TRAINING).copy()
    assert outputs["fusion.output"].tobytes() == expected.tobytes()
    gradients = {"fusion.output": dlogits}
    for name in reversed(names):
        gradients |= {source: dx.copy() for source, dx in blocks[name].backward(gradients[name]).items()}
    for part in parts:
        for name, parameter in part.parameters.items():
            assert parameter.gradient.tobytes() == whole.parameters[name].gradient.tobytes()


def test_dropout_of_a_part_of_a_batch_is_the_wholes():
    """Samples 2 to 4 alone, with first_sample=2, meet the same masks (no batch-norm between: the fusion)."""
    block = Network(SPEC).blocks["fusion.block1"]
    generator = np.random.default_rng(0)
    inputs = {
        name: generator.normal(size=(6, *shape)).astype("float32")
        for name, shape in block.input_shapes.items()
    }
    whole = block.forward(inputs, TRAINING).copy()
    part = {name: array[2:5] for name, array in inputs.items()}
    later = Step(training=True, number=TRAINING.number, seed=TRAINING.seed, first_sample=2)
    np.testing.assert_allclose(block.forward(part, later), whole[2:5], rtol=1e-5)
    assert (whole == 0).any()
    assert not np.array_equal(block.forward(part, TRAINING) == 0, whole[2:5] == 0)
