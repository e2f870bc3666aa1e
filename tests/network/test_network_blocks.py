"""Blocks: names, inputs, hooks around layers, errors at the door; costs and the summary table."""

import math

import numpy as np
import pytest
from network_examples import TRAINING, random_batch, single_modality, small, three_modalities

from mpmm.errors import NetworkError
from mpmm.network import EVALUATION, Network, paper


def test_block_names_and_inputs_of_the_paper():
    blocks = Network(paper({"hsi": 48, "rgb": 3}, 20)).blocks
    assert {name: block.inputs for name, block in blocks.items()} == {
        "hsi.block1": ("hsi",),
        "hsi.block2": ("hsi.block1",),
        "hsi.block3": ("hsi.block2",),
        "hsi.head": ("hsi.block3",),
        "rgb.block1": ("rgb",),
        "rgb.block2": ("rgb.block1",),
        "rgb.block3": ("rgb.block2",),
        "rgb.head": ("rgb.block3",),
        "fusion.block1": ("hsi.head", "rgb.head"),
        "fusion.block2": ("fusion.block1",),
        "fusion.output": ("fusion.block2",),
    }
    assert blocks["hsi.block3"].output_shape == (3, 2, 2, 64)
    assert blocks["fusion.block1"].input_shapes == {"hsi.head": (256,), "rgb.head": (256,)}
    assert [layer.name for layer in blocks["hsi.head"].layers] == [
        "hsi.head.flatten",
        "hsi.head.dense1",
        "hsi.head.dropout1",
    ]


@pytest.mark.parametrize("spec", [small(), three_modalities(), single_modality()])
def test_output_shapes_are_those_of_the_arrays(spec):
    network = Network(spec)
    outputs = dict(random_batch(spec, 3)[0])
    for name, block in network.blocks.items():
        outputs[name] = block.forward(outputs, TRAINING)
        assert outputs[name].shape == (3, *block.output_shape)
        assert outputs[name].flags.c_contiguous
        assert outputs[name].dtype == spec.dtype
    assert network.blocks["fusion.output"].output_shape == (spec.classes,)


def test_inference_merges_batchnorm_into_its_convolution_and_keeps_the_bits_of_both():
    """A layer that is taken out is not computed, and nothing is kept for a backward."""
    network = Network(single_modality())
    patches, _ = random_batch(network.spec, 3)
    block = network.blocks["hsi.block1"]
    batchnorm = block.layers[1]
    for parameter in batchnorm.parameters:
        parameter.value[:] = np.linspace(0.5, 1.5, parameter.value.size)
    x = block.join(patches)
    for layer in block.layers:
        x = layer.forward(x, EVALUATION)
    expected = x.copy()
    block.forward(patches, TRAINING)
    hooks = []
    made = block.forward(patches, EVALUATION, lambda layer: hooks.append(layer.name))
    assert made.tobytes() == expected.tobytes()
    assert hooks == [layer.name for layer in block.layers]
    with pytest.raises(NetworkError, match="backward without a training forward"):
        batchnorm.backward(made)
    block.layers = tuple(layer for layer in block.layers if layer is not batchnorm)
    assert (block.forward(patches, EVALUATION) != expected).any()


def test_hooks_come_before_a_layers_forward_and_after_its_backward():
    """What pulls parameters and pushes gradients: at `after` a layer's gradients are final."""
    network = Network(small())
    block = network.blocks["hsi.block1"]
    seen = []
    patches, _ = random_batch(network.spec, 3)
    y = block.forward(patches, TRAINING, before=lambda layer: seen.append(layer.name))
    names = ["hsi.block1.convolution", "hsi.block1.batchnorm", "hsi.block1.dropout"]
    assert seen == names
    pushed = {}

    def push(layer):
        seen.append(layer.name)
        pushed.update({parameter.name: parameter.gradient.copy() for parameter in layer.parameters})

    assert block.backward(np.ones_like(y), after=push) == {}
    assert seen[3:] == names[::-1]
    assert all(np.array_equal(pushed[parameter.name], parameter.gradient) for parameter in block.parameters)
    assert sorted(pushed) == sorted(parameter.name for parameter in block.parameters)


def test_running_statistics_are_parameters_that_are_not_trained():
    parameters = Network(small()).parameters
    assert list(parameters) == sorted(parameters)
    statistics = [name for name, parameter in parameters.items() if not parameter.trainable]
    assert statistics == [
        f"{block}.batchnorm.{part}"
        for block in ("hsi.block1", "hsi.block2", "rgb.block1")
        for part in ("mean", "variance")
    ]


def test_patches_are_taken_in_any_order_and_dtype():
    network = Network(small("float64"))
    patches, _ = random_batch(network.spec, 3)
    expected = network.forward(patches, EVALUATION).copy()
    awkward = {name: np.asfortranarray(array) for name, array in patches.items()}
    assert np.array_equal(network.forward(awkward, EVALUATION), expected)
    narrow = {name: array.astype("float32") for name, array in patches.items()}
    np.testing.assert_allclose(network.forward(narrow, EVALUATION), expected, rtol=1e-4, atol=1e-5)


def wrong_inputs():
    patches, _ = random_batch(small(), 3)
    return {
        "hsi.block1: input 'hsi' has shape (3, 11, 9, 9), expected (samples, 12, 9, 9)": {
            **patches,
            "hsi": patches["hsi"][:, 1:],
        },
        "rgb.block1: input 'rgb' has shape (0, 3, 9, 9), expected (samples, 3, 9, 9)": {
            **patches,
            "rgb": patches["rgb"][:0],
        },
        "rgb.block1: input 'rgb' is missing": {"hsi": patches["hsi"]},
        "fusion.block1: its inputs have 2, 3 samples": {**patches, "hsi": patches["hsi"][1:]},
    }


@pytest.mark.parametrize("message", wrong_inputs())
def test_a_wrong_input_is_refused_by_the_block_it_reaches(message):
    with pytest.raises(NetworkError) as caught:
        Network(small()).forward(wrong_inputs()[message], TRAINING)
    assert caught.value.problem == message


def test_a_wrong_gradient_is_refused():
    network = Network(small())
    network.forward(random_batch(network.spec, 3)[0], TRAINING)
    with pytest.raises(NetworkError, match=r"fusion.output: gradient has shape \(3, 4\), expected \(3, 5\)"):
        network.backward(np.ones((3, 4)))


def test_a_part_of_a_network_does_not_run_as_a_whole():
    part = Network(small(), only={"hsi.block1"})
    with pytest.raises(NetworkError, match=r"has no block hsi\.block2, hsi\.head"):
        part.forward({}, EVALUATION)
    with pytest.raises(NetworkError, match=r"no block 'hsi\.block9' in this network"):
        Network(small(), only={"hsi.block9"})


def test_costs_of_the_paper():
    """Products counted by hand; 120 MFLOP of convolutions forward, as the design says."""
    network = Network(paper({"hsi": 48, "rgb": 3}, 20))
    first, second = network.blocks["hsi.block1"].layers[0], network.blocks["hsi.block2"].layers[0]
    products = 42 * 23 * 23 * 16 * 63
    assert (first.cost().flops_forward, first.cost().flops_backward) == (2 * products, 2 * products)
    products = 17 * 9 * 9 * 32 * 45 * 16
    assert (second.cost().flops_forward, second.cost().flops_backward) == (2 * products, 4 * products)
    convolutions = [
        block.layers[0].cost().flops_forward
        for name, block in network.blocks.items()
        if "hsi.b" in name or "rgb.b" in name
    ]
    assert sum(convolutions) == pytest.approx(120e6, rel=0.01)
    pooled = math.prod((21, 11, 11, 16))
    assert first.cost().activation_bytes == 4 * pooled + pooled
    total = network.cost()
    assert total.flops_forward == sum(block.cost().flops_forward for block in network.blocks.values())


def test_the_summary_names_every_layer_and_adds_up():
    network = Network(paper({"hsi": 48, "rgb": 3}, 20))
    lines = str(network).splitlines()
    assert lines[0].split()[:3] == ["layer", "output", "parameters"]
    names = [layer.name for block in network.blocks.values() for layer in block.layers]
    shown = [line.split()[0] for line in lines[2:-2]]
    assert [name for name in shown if not name.endswith("concatenate")] == names
    total = sum(parameter.value.size for parameter in network.parameters.values())
    assert lines[-1].split()[:2] == ["total", f"{total:,}"]
    assert "21x11x11x16" in lines[2]
    assert max(map(len, lines)) <= 110
