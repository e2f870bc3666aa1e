"""Every pixel of a map has the logits that the patch around it has."""

from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
from branched_networks import branched, tiny_preset
from hypothesis import given, settings
from hypothesis import strategies as st
from mapping_examples import BARE, ODD, PADDED, PAPER, patch_logits, scene, trained, window_logits
from mpmm_kernels.convolution import BlockPlan

from mpmm.errors import NetworkError, PatchError
from mpmm.mapping import PatchClassifier, TileClassifier, Window, classifier_for, is_exact
from mpmm.network import (
    BatchNorm,
    BlockSpec,
    Cost,
    DenseSpec,
    JoinSpec,
    Layer,
    Network,
    NetworkSpec,
    StreamSpec,
)

TOLERANCE = {"float32": 1e-4, "float64": 1e-10}


def compare(network, pixels, window=None, count=200, **options):
    """Demand equal logits at random pixels, equal classes but for ties."""
    window = window or Window(0, 0, *pixels.shape)
    mapped, usable, classifier = window_logits(network, pixels, window, **options)
    positions = np.argwhere(usable)
    positions = np.random.default_rng(2).permutation(positions)[:count]
    expected = patch_logits(network, pixels, positions + np.array([window.row, window.column]))
    ours = mapped[tuple(positions.T)]
    scale = np.abs(expected).max()
    tolerance = TOLERANCE[network.spec.dtype] * scale
    np.testing.assert_allclose(ours, expected, rtol=0, atol=tolerance)
    best = np.sort(expected, axis=1)
    clear = best[:, -1] - best[:, -2] > 2 * tolerance
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(ours.argmax(axis=1)[clear], expected.argmax(axis=1)[clear])
    return classifier


@pytest.mark.parametrize(
    "spec",
    [ODD, BARE, PAPER, branched(padding="valid"), tiny_preset("he")],
    ids=["odd", "bare", "paper", "branched", "he"],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logits_are_those_of_the_patches(spec, dtype):
    network = trained(replace(spec, dtype=dtype))
    classifier = compare(network, scene(network.spec, 64, 67), count=2000)
    assert isinstance(classifier, TileClassifier)


@pytest.mark.parametrize("threads", [1, 3])
def test_mirrored_edges_and_tiles_of_little_memory(threads):
    network = trained(PAPER)
    pixels = scene(network.spec, 31, 43, edge="reflect", holes=1)
    whole = compare(network, pixels, count=400, threads=threads)
    small = compare(network, pixels, count=400, threads=threads, memory=threads * 400_000)
    assert small.plan.rows * small.plan.columns < whole.plan.rows * whole.plan.columns


def test_a_part_of_a_scene_is_mapped_as_in_the_whole():
    network = trained(ODD)
    compare(network, scene(network.spec, 40, 50), Window(9, 13, 17, 22))


def test_hand_vectorised_kernels():
    network = trained(replace(PAPER, dtype="float32", kernels="direct"))
    compare(network, scene(network.spec, 30, 33))


def test_padded_networks_go_patch_by_patch_and_say_so():
    network = trained(PADDED)
    assert not is_exact(network)
    classifier = compare(network, scene(network.spec, 14, 15, edge="reflect"))
    assert isinstance(classifier, PatchClassifier)
    assert "patch by patch, since the network pads" in classifier.describe()


POOL = BlockSpec(3, (1, 1, 1), window=(1, 2, 2))
BY_TWICE_TWO = (
    replace(POOL, window=(1, 4, 2)),
    replace(POOL, inputs=("patch",)),
    replace(POOL, window=(1, 2, 1)),
    JoinSpec("concatenate", ("block1", "block3")),
)
OVER_BANDS = BlockSpec(3, (2, 2, 2), pool="none"), JoinSpec("add", pool="max", window=(3, 2, 2))


@pytest.mark.parametrize("blocks", [BY_TWICE_TWO, OVER_BANDS], ids=["other steps", "pool over bands"])
def test_joins_and_pools_that_no_window_shares_go_patch_by_patch(blocks):
    network = trained(replace(PADDED, streams=(StreamSpec("spectra", 4, 7, blocks),)))
    assert not is_exact(network)
    classifier = compare(network, scene(network.spec, 12, 13, edge="reflect"))
    assert isinstance(classifier, PatchClassifier)
    assert "patch by patch, since it joins what came by other steps" in classifier.describe()


class Doubled(Layer):
    """A layer that no map knows."""

    def forward(self, x, step):
        return 2 * x

    def backward(self, dy):
        return 2 * dy

    def cost(self):
        return Cost(0, 0, 0)


@dataclass(frozen=True)
class DilatedPlan(BlockPlan):
    """A plan with a field that no map knows."""

    dilation: int = 2


def test_a_layer_that_maps_do_not_know_is_refused():
    network = trained(PAPER)
    block = network.blocks["camera.block1"]
    shape = block.layers[0].output_shape
    block.layers = (block.layers[0], Doubled("camera.block1.doubled", shape, shape), *block.layers[1:])
    with pytest.raises(NetworkError, match=r"camera\.block1\.doubled: .* layers of the kind Doubled"):
        classifier_for(network, scene(network.spec, 30, 30), (30, 30), 1, 2**28)


def test_a_convolution_that_computes_more_than_maps_know_is_refused():
    network = trained(PAPER)
    layer = network.blocks["camera.block2"].layers[0]
    layer.plan = DilatedPlan(**{field.name: getattr(layer.plan, field.name) for field in fields(BlockPlan)})
    with pytest.raises(NetworkError, match=r"camera\.block2\.convolution: maps do not know all"):
        classifier_for(network, scene(network.spec, 30, 30), (30, 30), 1, 2**28)


def test_stages_follow_the_built_layers_and_not_the_description():
    """A dropped batch-norm changes the map as it changes the patches."""
    network = trained(PAPER)
    block = network.blocks["spectra.block2"]
    block.layers = tuple(layer for layer in block.layers if not isinstance(layer, BatchNorm))
    compare(network, scene(network.spec, 26, 27))


def test_relu_made_by_batch_norm_is_in_the_map_too():
    block = BlockSpec(4, (3, 3, 3), pool="none", window=(1, 1, 1), batch_norm=True, after="relu")
    spec = NetworkSpec((StreamSpec("hsi", 8, 7, (block, block)),), (), 3, kernels="reference")
    compare(trained(spec), scene(spec, 20, 21))


def test_padding_that_adds_nothing_is_exact():
    same = BlockSpec(2, (3, 1, 1), padding="same", pool="none")
    assert is_exact(Network(NetworkSpec((StreamSpec("hsi", 4, 5, (same,)),), (), 3)))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_valid_network(data):
    """Shapes nobody thought of: kernels, strides and windows of 1 to 3, any pool, any patch size."""
    size = data.draw(st.sampled_from([5, 7, 9, 11]))
    small = st.integers(1, 2)
    blocks, bands, left = [], data.draw(st.integers(1, 4)), size
    for _ in range(data.draw(st.integers(0, 2))):
        kernel, stride, window = (data.draw(st.integers(1, most)) for most in (3, 2, 3))
        pool = data.draw(st.sampled_from(["max", "average", "none"]))
        convolved = (left - kernel) // stride + 1
        if convolved < (1 if pool == "none" else window):
            break
        block = BlockSpec(
            data.draw(small),
            (1, kernel, kernel),
            (1, stride, stride),
            activation=data.draw(st.sampled_from(["relu", "sigmoid", "none"])),
            pool=pool,
            window=(1, window, window),
            batch_norm=data.draw(st.booleans()),
        )
        blocks.append(block)
        left = convolved if pool == "none" else convolved // window
    dense = tuple(DenseSpec(3) for _ in range(data.draw(st.integers(0, 2))))
    stream = StreamSpec("any", bands, size, tuple(blocks), dense)
    network = trained(NetworkSpec((stream,), (), 3, "float64", "reference"))
    pixels = scene(network.spec, 19, 23, holes=1)
    mapped, usable, _ = window_logits(network, pixels)
    positions = np.argwhere(usable)[::7]
    expected = patch_logits(network, pixels, positions)
    np.testing.assert_allclose(mapped[tuple(positions.T)], expected, rtol=1e-10, atol=1e-10)


def test_too_little_memory_is_refused_with_what_is_needed():
    network = trained(PAPER)
    with pytest.raises(PatchError, match=r"smallest size need .* MiB, the limit is 0\.0") as caught:
        classifier_for(network, scene(network.spec, 30, 30), (30, 30), 2, 1000)
    assert "--memory" in caught.value.hint


def test_a_scene_with_other_bands_is_refused():
    pixels = scene(PAPER, 30, 30)
    with pytest.raises(PatchError, match="12 bands, the network was trained on 3"):
        replace(pixels, normalizations={**pixels.normalizations, "spectra": pixels.normalizations["camera"]})
