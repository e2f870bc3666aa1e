"""Whole networks against PyTorch: gradients for the same weights and batch, and Adam in lockstep."""

import math
import os
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from branched_networks import branched
from network_examples import random_batch, small, three_modalities

from mpmm.network import (
    Adam,
    Network,
    SoftmaxCrossEntropy,
    Step,
    clip_factor,
    norm_of,
    paper,
    sum_of_squares,
)

FULL = os.environ.get("MPMM_FULL") == "1"
# A bias before a batch-norm may have the gradient zero: below this size the difference counts as it is.
FLOOR = 1e-6


@pytest.fixture(autouse=True, scope="module")
def _torch():
    """Loaded by the first test, for those who only collect need not wait for it."""
    pytest.importorskip("torch")


def assert_close(actual, expected, tolerance, name):
    """Largest difference, relative to the largest value."""
    difference = np.abs(actual - expected).max() / max(np.abs(expected).max(), FLOOR)
    assert difference < tolerance, f"{name}: {difference:.2e}"


def assert_same_gradients(spec, samples):
    import torch
    from network_torch import Twin

    network, step = Network(spec), Step(training=True, number=3, seed=9)
    twin = Twin(network)
    patches, labels = random_batch(spec, samples)
    logits = network.forward(patches, step)
    theirs = twin.forward(patches, step)
    assert_close(logits, theirs.detach().numpy(), 1e-9, "logits")
    expected = torch.nn.functional.cross_entropy(theirs, torch.tensor(labels))
    expected.backward()
    loss = SoftmaxCrossEntropy()(logits, labels)
    assert loss.loss == pytest.approx(expected.item(), rel=1e-12)
    network.backward(loss.dlogits)
    for name, tensor in twin.trained().items():
        assert_close(network.parameters[name].gradient, tensor.grad.numpy(), 1e-9, name)


@pytest.mark.parametrize(
    "spec",
    [small(), three_modalities(), branched(), branched(padding="valid")],
    ids=["small", "three", "branched", "valid"],
)
def test_gradients_equal_pytorchs(spec):
    assert_same_gradients(spec, 5)


def test_gradients_of_the_paper_equal_pytorchs():
    assert_same_gradients(paper({"hsi": 48, "rgb": 3}, 20, dtype="float64"), 6)


def clip(network, bound):
    """Scale all gradients by the factor of their norm; that factor."""
    trained = [parameter for parameter in network.parameters.values() if parameter.trainable]
    squares = [np.array([sum_of_squares(parameter.gradient)]) for parameter in trained]
    factor = clip_factor(norm_of(squares), bound)
    for parameter in trained:
        parameter.gradient *= factor
    return factor


def run_in_lockstep(spec, samples, steps, tolerance, decay=0.0, clip_norm=math.inf):
    """Adam here and in PyTorch from the same parameters, dropout masks shared, a new batch each step."""
    import torch
    from network_torch import Twin

    network, loss, optimizer = Network(spec), SoftmaxCrossEntropy(), Adam(decay=decay)
    twin, factors = Twin(network, optimizer.average), []
    weights = [tensor for tensor in twin.trained().values() if tensor.ndim > 1]
    rest = [tensor for tensor in twin.trained().values() if tensor.ndim == 1]
    theirs = torch.optim.AdamW(
        [{"params": weights, "weight_decay": decay}, {"params": rest, "weight_decay": 0}]
    )
    for number in range(1, steps + 1):
        step = Step(training=True, number=number, seed=2)
        patches, labels = random_batch(spec, samples, seed=number)
        network.backward(loss(network.forward(patches, step), labels).dlogits)
        factors.append(clip(network, clip_norm))
        for parameter in network.parameters.values():
            optimizer.update(parameter, number)
        theirs.zero_grad()
        torch.nn.functional.cross_entropy(twin.forward(patches, step), torch.tensor(labels)).backward()
        torch.nn.utils.clip_grad_norm_(twin.trained().values(), clip_norm)
        theirs.step()
    assert (min(factors) < 1) == (clip_norm < math.inf)
    for name, parameter in network.parameters.items():
        expected = twin.tensors[name].detach().numpy()
        assert np.abs(parameter.value - expected).max() < tolerance, name


@pytest.mark.parametrize("edges", [(0, 5, 10), (0, 3, 10), (0, 2, 5, 7, 10)])
def test_shards_normalised_alone_equal_pytorchs_replicas(edges):
    """As DistributedDataParallel has it: the mean gradient of replicas, each with statistics of its own.

    PyTorch keeps the first replica's running statistics; here they are the mean over all, by samples.
    """
    import torch
    from network_torch import Twin

    spec, samples = small(), edges[-1]
    patches, labels = random_batch(spec, samples)
    twin, network = Twin(Network(spec), average=0.0), Network(spec)
    layers = [layer for block in network.blocks.values() for layer in block.layers if layer.parameters]
    sums = {layer.name: 0.0 for layer in layers}
    statistics = dict.fromkeys(twin.tensors.keys() - twin.trained().keys(), 0.0)
    for first, stop in pairwise(edges):
        part = {name: array[first:stop] for name, array in patches.items()}
        step = Step(True, 3, 9, first_sample=first, batch=samples, per_shard=True)
        logits = network.forward(part, step)
        theirs = twin.forward(part, step)
        assert_close(logits, theirs.detach().numpy(), 1e-9, "logits")
        target = torch.tensor(labels[first:stop])
        (torch.nn.functional.cross_entropy(theirs, target, reduction="sum") / samples).backward()
        network.backward(SoftmaxCrossEntropy()(logits, labels[first:stop], samples).dlogits)
        for layer in layers:
            sums[layer.name] = sums[layer.name] + layer.gradients.sum(axis=0)
        for name in statistics:
            statistics[name] = statistics[name] + twin.tensors[name] * ((stop - first) / samples)
    for layer in layers:
        for parameter, total in zip(layer.parameters, parts(sums[layer.name], layer), strict=True):
            expected = statistics.get(parameter.name, twin.tensors[parameter.name].grad)
            assert_close(total, expected.numpy(), 1e-9, parameter.name)


def parts(flat, layer):
    """Of a layer's values, one after the other, those of each parameter."""
    ends = np.cumsum([parameter.value.size for parameter in layer.parameters])
    shapes = [parameter.value.shape for parameter in layer.parameters]
    return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)]


@pytest.mark.parametrize(("decay", "clip_norm"), [(0.0, math.inf), (0.01, math.inf), (0.01, 0.7)])
def test_adam_in_lockstep_with_pytorch(decay, clip_norm):
    run_in_lockstep(small(), 6, 20, 1e-7, decay, clip_norm)


@pytest.mark.parametrize("start", ["he", "fan_in"])
def test_the_curve_of_fifty_steps_is_pytorchs(start):
    """Same start, batches and network: the same loss at each step, and it falls."""
    import torch
    from network_torch import Twin

    spec = replace(small(dropout=0.1, block_dropout=0.0), start=start)
    network, optimizer, loss = Network(spec), Adam(rate=3e-3), SoftmaxCrossEntropy()
    twin = Twin(network, optimizer.average)
    theirs = torch.optim.Adam(twin.trained().values(), 3e-3)
    batches = [random_batch(spec, 6, seed=number) for number in range(5)]
    ours, expected = [], []
    for number in range(50):
        step, (patches, labels) = Step(training=True, number=number, seed=2), batches[number % 5]
        measured = loss(network.forward(patches, step), labels)
        network.backward(measured.dlogits)
        for parameter in network.parameters.values():
            optimizer.update(parameter, number + 1)
        theirs.zero_grad()
        value = torch.nn.functional.cross_entropy(twin.forward(patches, step), torch.tensor(labels))
        value.backward()
        theirs.step()
        ours.append(measured.loss)
        expected.append(value.item())
    np.testing.assert_allclose(ours, expected, rtol=1e-7)
    assert np.mean(ours[-5:]) < np.mean(ours[:5])


@pytest.mark.slow
def test_adam_in_lockstep_on_the_paper():
    """At its own widths; 20 steps of all presets, with few filters, stand in test_network_published.py."""
    run_in_lockstep(paper({"hsi": 48, "rgb": 3}, 20, dtype="float64"), 2, 20 if FULL else 3, 1e-7)
