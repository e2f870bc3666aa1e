"""Networks learn by heart, in batches of changing size, and evaluate with running statistics."""

import numpy as np
import pytest
from network_examples import random_batch, reduced_paper, small
from network_training import correct, train

from mpmm.errors import NetworkError
from mpmm.network import EVALUATION, Network, Step, paper, parameters_sha256


def steps_to_learn_by_heart(spec):
    network = Network(spec)
    patches, labels = random_batch(spec, 40)
    optimizer = None
    for first in range(1, 61, 5):
        optimizer = train(network, patches, labels, 5, optimizer, first=first)
        if correct(network, patches, labels) == 40:
            return first + 4
    return None


def test_overfits_forty_patches_within_sixty_steps():
    assert steps_to_learn_by_heart(reduced_paper("float32")) is not None


@pytest.mark.slow
def test_the_paper_overfits_forty_patches_within_sixty_steps():
    assert steps_to_learn_by_heart(paper({"hsi": 48, "rgb": 3}, 20)) is not None


def test_short_and_long_batches_leave_no_trace():
    """A step on 5 samples gives the same bits in fresh buffers and in those of an earlier, larger batch."""
    spec = small("float32")
    used, fresh = Network(spec), Network(spec)
    train(used, *random_batch(spec, 9), 1)
    used.load(fresh.state())
    used.forward(random_batch(spec, 11)[0], EVALUATION)
    for network in (used, fresh):
        train(network, *random_batch(spec, 5, seed=8), 1)
    assert parameters_sha256(used) == parameters_sha256(fresh)


def test_evaluation_treats_each_patch_alone():
    """Running statistics and no dropout: a patch's logits are its own, whatever the batch or step."""
    spec = small("float64")
    network = Network(spec)
    patches, labels = random_batch(spec, 8)
    train(network, patches, labels, 2)
    together = network.forward(patches, EVALUATION).copy()
    single = {name: array[3:4] for name, array in patches.items()}
    np.testing.assert_allclose(
        network.forward(single, Step(training=False, number=9, seed=9))[0], together[3], rtol=1e-12
    )
    training = network.forward(patches, Step(training=True, number=9))
    assert not np.allclose(training, together)


def test_running_statistics_approach_the_batchs():
    """Average of mean and unbiased variance: after 200 equal batches they are the batch's own."""
    spec = small("float64", dropout=0.0, block_dropout=0.0)
    network = Network(spec)
    patches, labels = random_batch(spec, 8)
    optimizer = train(network, patches, labels, 1)
    block = network.blocks["rgb.block1"]
    for number in range(200):
        block.forward(patches, Step(training=True, number=number))
        for parameter in block.parameters[-2:]:
            optimizer.update(parameter, 1)
    convolved = block.layers[0].forward(patches["rgb"][..., None], EVALUATION)
    mean, variance = block.parameters[-2:]
    np.testing.assert_allclose(mean.value, convolved.mean(axis=(0, 1, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(variance.value, convolved.var(axis=(0, 1, 2, 3), ddof=1), rtol=1e-6)


def test_evaluation_changes_no_parameter():
    spec = small("float32")
    network = Network(spec)
    before = parameters_sha256(network)
    network.forward(random_batch(spec, 4)[0], EVALUATION)
    assert parameters_sha256(network) == before


def test_backward_without_its_forward_is_refused():
    spec = small("float32")
    network = Network(spec)
    patches, _ = random_batch(spec, 4)
    dlogits = np.ones((4, 5), "float32")
    with pytest.raises(NetworkError, match=r"fusion\.output\.dense: backward without a training forward"):
        network.backward(dlogits)
    network.forward(patches, Step(training=True, number=1))
    network.forward(patches, EVALUATION)
    with pytest.raises(NetworkError, match="backward without a training forward"):
        network.backward(dlogits)
    network.forward(patches, Step(training=True, number=1))
    network.backward(dlogits)
    with pytest.raises(NetworkError, match="backward without a training forward"):
        network.backward(dlogits)
