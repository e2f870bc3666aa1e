"""Networks of the literature: their published shapes and sizes, any patch, and PyTorch's gradients."""

import math
from itertools import pairwise

import numpy as np
import pytest
from branched_networks import tiny_preset
from mpmm_kernels.runtime.dispatcher import KernelDispatcher
from network_examples import random_batch

from mpmm.errors import NetworkError
from mpmm.network import (
    Adam,
    BlockSpec,
    JoinSpec,
    Network,
    NetworkSpec,
    SoftmaxCrossEntropy,
    Step,
    preset_fusion,
    preset_stream,
)
from mpmm.network.published import PRESETS

LITERATURE = [preset for preset in PRESETS if preset != "paper"]


def network(preset, bands, size, classes=16, **options):
    stream = preset_stream(preset, "hsi", bands, size)
    return NetworkSpec((stream,), preset_fusion(preset), classes, kernels="reference", **options)


def test_hybridsn_has_the_parameters_that_its_authors_count():
    """Table 1 of the paper: 5,122,176 for Indian Pines, 16 classes, 30 components, 25 x 25 pixels."""
    spec = network("hybridsn", 30, 25)
    assert spec.streams[0].volumes()[1:] == ((24, 23, 23), (20, 21, 21), (18, 19, 19), (1, 17, 17))
    assert sum(parameter.value.size for parameter in Network(spec).parameters.values()) == 5_122_176


@pytest.mark.parametrize(
    ("preset", "bands", "size", "last"),
    [
        ("ahmad", 20, 11, (6, 3, 3)),
        ("hamida", 103, 5, (13, 1, 1)),
        ("li", 103, 5, (103, 1, 1)),
        ("chen", 103, 27, (10, 1, 1)),
        ("he", 200, 7, (62, 4, 4)),
        ("bottleneck", 30, 9, (7, 3, 3)),
    ],
)
def test_published_patches_keep_the_published_kernels(preset, bands, size, last):
    stream = preset_stream(preset, "hsi", bands, size)
    assert stream.volumes()[-1] == last
    larger = preset_stream(preset, "hsi", 2 * bands, size + 8)
    assert kernels(larger) == kernels(stream)


def kernels(stream):
    return [block.kernel for block in stream.blocks if isinstance(block, BlockSpec)]


def test_ssrn_has_the_volumes_and_the_parameters_of_its_authors_program():
    """200 bands, 7 x 7 pixels, 16 classes: ten batch-norms of 24 channels and one of 128."""
    spec = network("ssrn", 200, 7)
    shapes = spec.streams[0].shapes()
    assert [shape for shape, before in pairwise(shapes[1:]) if shape != before] == [
        (97, 7, 7, 24),
        (1, 7, 7, 128),
        (1, 5, 5, 24),
    ]
    assert spec.streams[0].features == 24
    trained = (each for each in Network(spec).parameters.values() if each.trainable)
    convolutions = 7 * 24 + 4 * 7 * 24**2 + 97 * 24 * 128 + 9 * 128 * 24 + 4 * 9 * 24**2
    assert (
        sum(each.value.size for each in trained) == convolutions + 10 * 3 * 24 + 3 * 128 + 16 * 25 == 364_168
    )


def test_he_adds_four_scales_twice():
    blocks = preset_stream("he", "hsi", 200, 7).blocks
    joins = [block for block in blocks if isinstance(block, JoinSpec)]
    assert [join.inputs for join in joins] == [
        ("block2", "block3", "block4", "block5"),
        ("block7", "block8", "block9", "block10"),
    ]
    assert [block.kernel[0] for block in blocks[1:5]] == [1, 3, 5, 11]


@pytest.mark.parametrize("preset", LITERATURE)
@pytest.mark.parametrize("bands", [1, 3, 30, 200])
@pytest.mark.parametrize("size", [5, 9, 25])
def test_any_patch_gives_a_network_of_that_depth(preset, bands, size):
    stream = preset_stream(preset, "hsi", bands, size)
    assert len(stream.blocks) == len(preset_stream(preset, "hsi", 103, 27).blocks)
    assert min(map(math.prod, stream.volumes())) >= 1
    assert stream.features > 0


@pytest.mark.parametrize("preset", PRESETS)
def test_no_kernel_is_called_while_a_network_is_built(monkeypatch, preset):
    """`mpmm plan` and `check` would compile it, and under mpirun every rank for itself."""

    def called(kernel, *_):
        raise AssertionError(f"{kernel.__name__} was called")

    monkeypatch.setattr(KernelDispatcher, "__call__", called, raising=False)
    assert Network(network(preset, 30, 25)).blocks


def test_an_unknown_preset_is_refused():
    with pytest.raises(NetworkError, match="no network is called 'resnet'"):
        preset_stream("resnet", "hsi", 10, 5)


@pytest.mark.parametrize("preset", PRESETS)
def test_twenty_steps_of_adam_go_as_pytorchs(preset):
    torch = pytest.importorskip("torch")
    from network_torch import Twin

    spec = tiny_preset(preset)
    net, optimizer, twin = Network(spec), Adam(), Twin(Network(spec))
    theirs = torch.optim.Adam(twin.trained().values())
    for number in range(1, 21):
        step = Step(training=True, number=number, seed=2)
        patches, labels = random_batch(spec, 3, seed=number)
        net.backward(SoftmaxCrossEntropy()(net.forward(patches, step), labels).dlogits)
        for parameter in net.parameters.values():
            optimizer.update(parameter, number)
        theirs.zero_grad()
        torch.nn.functional.cross_entropy(twin.forward(patches, step), torch.tensor(labels)).backward()
        theirs.step()
    for name, parameter in net.parameters.items():
        assert np.abs(parameter.value - twin.tensors[name].detach().numpy()).max() < 1e-7, name


@pytest.mark.parametrize("preset", PRESETS)
def test_gradients_equal_pytorchs(preset):
    torch = pytest.importorskip("torch")
    from network_torch import Twin

    spec = tiny_preset(preset)
    net, step = Network(spec), Step(training=True, number=2, seed=5)
    twin = Twin(net)
    patches, labels = random_batch(spec, 3)
    logits = net.forward(patches, step)
    theirs = twin.forward(patches, step)
    np.testing.assert_allclose(logits, theirs.detach().numpy(), rtol=0, atol=1e-12)
    torch.nn.functional.cross_entropy(theirs, torch.tensor(labels)).backward()
    net.backward(SoftmaxCrossEntropy()(logits, labels).dlogits)
    for name, tensor in twin.trained().items():
        expected = tensor.grad.numpy()
        error = np.abs(net.parameters[name].gradient - expected).max() / max(np.abs(expected).max(), 1e-6)
        assert error < 1e-9, name
