"""Central differences in float64 over whole networks that hold every kind of layer."""

import numpy as np
import pytest
from branched_networks import branched
from network_examples import TRAINING, random_batch, single_modality, small, three_modalities

from mpmm.network import Network, SoftmaxCrossEntropy

STEP = 1e-5
PROBES = 6

LOSS = SoftmaxCrossEntropy(class_weights=[0.5, 1.5, 1.0, 0.7, 1.3], label_smoothing=0.1)
CASES = {
    "small": (small(), LOSS),
    "three_modalities": (three_modalities(), SoftmaxCrossEntropy()),
    "branched": (branched(), SoftmaxCrossEntropy()),
    "single_modality": (single_modality(), SoftmaxCrossEntropy(label_smoothing=0.2)),
}


def loss_of(network, patches, labels, loss):
    return loss(network.forward(patches, TRAINING), labels).loss


def numerical(value, index, evaluate):
    """(f(v + h) - f(v - h)) / 2h for one element of ``value``."""
    original = value[index]
    value[index] = original + STEP
    above = evaluate()
    value[index] = original - STEP
    below = evaluate()
    value[index] = original
    return (above - below) / (2 * STEP)


@pytest.mark.parametrize("case", CASES)
def test_gradient_of_every_parameter(case):
    spec, loss = CASES[case]
    network = Network(spec)
    patches, labels = random_batch(spec, 4)
    network.backward(loss(network.forward(patches, TRAINING), labels).dlogits)
    generator = np.random.default_rng(1)
    for name, parameter in network.parameters.items():
        if not parameter.trainable:
            continue
        indices = [tuple(generator.integers(0, parameter.value.shape)) for _ in range(PROBES)]
        gradients = np.array([parameter.gradient[index] for index in indices])
        expected = [
            numerical(parameter.value, index, lambda: loss_of(network, patches, labels, loss))
            for index in indices
        ]
        scale = np.abs(parameter.gradient).max() + 1e-4
        np.testing.assert_allclose(gradients / scale, np.array(expected) / scale, atol=2e-6, err_msg=name)


def test_input_gradient_of_each_block():
    """dx of a block, the sum of its outputs weighted at random being the loss."""
    network = Network(small())
    outputs = dict(random_batch(network.spec, 3)[0])
    generator = np.random.default_rng(2)
    checked = 0
    for name, block in network.blocks.items():
        y = block.forward(outputs, TRAINING).copy()
        weights = generator.normal(size=y.shape)
        gradients = {source: dx.copy() for source, dx in block.backward(weights).items()}
        assert set(gradients) == (set() if block.reads_modality else set(block.inputs))
        for source, dx in gradients.items():
            assert dx.shape == outputs[source].shape
            index = tuple(generator.integers(0, dx.shape))
            expected = numerical(
                outputs[source], index, lambda b=block, w=weights: (b.forward(outputs, TRAINING) * w).sum()
            )
            assert dx[index] == pytest.approx(expected, rel=1e-6, abs=1e-8)
            checked += 1
        outputs[name] = y
    assert checked == 7
