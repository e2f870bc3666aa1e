"""Networks of the literature: their published shapes and sizes, any patch, and PyTorch's gradients."""

import math
from dataclasses import replace

import numpy as np
import pytest
from network_examples import random_batch

from mpmm.errors import NetworkError
from mpmm.network import Network, NetworkSpec, SoftmaxCrossEntropy, Step, preset_fusion, preset_stream
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
    ],
)
def test_published_patches_keep_the_published_kernels(preset, bands, size, last):
    stream = preset_stream(preset, "hsi", bands, size)
    assert stream.volumes()[-1] == last
    larger = preset_stream(preset, "hsi", 2 * bands, size + 8)
    assert [block.kernel for block in larger.blocks] == [block.kernel for block in stream.blocks]


@pytest.mark.parametrize("preset", LITERATURE)
@pytest.mark.parametrize("bands", [1, 3, 30, 200])
@pytest.mark.parametrize("size", [5, 9, 25])
def test_any_patch_gives_a_network_of_that_depth(preset, bands, size):
    stream = preset_stream(preset, "hsi", bands, size)
    assert len(stream.blocks) == len(preset_stream(preset, "hsi", 103, 27).blocks)
    assert min(map(math.prod, stream.volumes())) >= 1
    assert stream.features > 0


def test_an_unknown_preset_is_refused():
    with pytest.raises(NetworkError, match="no network is called 'resnet'"):
        preset_stream("resnet", "hsi", 10, 5)


@pytest.mark.parametrize("preset", LITERATURE)
def test_gradients_equal_pytorchs(preset):
    torch = pytest.importorskip("torch")
    from network_torch import Twin

    spec = network(preset, 14, 7, classes=4, dtype="float64", seed=2)
    # a dense layer of 256 is slow to compare and holds nothing that a smaller one does not
    stream = replace(spec.streams[0], dense=tuple(replace(d, units=6) for d in spec.streams[0].dense))
    spec = replace(spec, streams=(stream,))
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
