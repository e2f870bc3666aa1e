"""Sums and channels side by side as blocks: values, wiring, and what does not fit."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from branched_networks import branched
from mpmm_kernels.vocabulary import Activation, Pool
from network_examples import TRAINING, random_batch

from mpmm.errors import NetworkError
from mpmm.network import (
    EVALUATION,
    BlockSpec,
    DenseSpec,
    JoinSpec,
    Network,
    StreamSpec,
    run_on_zeros,
)
from mpmm.network.activation_layer import ActivationLayer
from mpmm.network.batchnorm import BatchNorm
from mpmm.network.convolution import Convolution
from mpmm.network.dense import Dense
from mpmm.network.dropout import Dropout
from mpmm.network.flatten import Flatten
from mpmm.network.initialisation import Initializer
from mpmm.network.names import OUTPUT
from mpmm.network.pooling_layer import PoolingLayer
from mpmm.network.sums import sum_passes, summands

CONVOLUTION = BlockSpec(2, (1, 1, 1), pool="none", batch_norm=False)


def stream(*blocks, dense=()):
    return StreamSpec("hsi", 4, 3, blocks, dense)


def volumes(names, seed=0):
    chance = np.random.default_rng(seed)
    return {name: chance.normal(size=(2, 4, 3, 3, 2)) for name in names}


@pytest.mark.parametrize("join", ["add", "concatenate"])
def test_a_join_is_the_sum_or_the_channels_of_its_inputs_in_order(join):
    spec = branched()
    joined = JoinSpec(join, ("block2", "block1"))
    blocks = CONVOLUTION, replace(CONVOLUTION, inputs=("patch",)), joined
    network = Network(replace(spec, streams=(stream(*blocks),)))
    x = volumes(["hsi.block1", "hsi.block2"])
    y = network.blocks["hsi.block3"].forward(x, TRAINING)
    parts = [x["hsi.block2"], x["hsi.block1"]]
    expected = parts[0] + parts[1] if join == "add" else np.concatenate(parts, axis=-1)
    np.testing.assert_array_equal(y, expected)
    dy = y.copy()
    dx = network.blocks["hsi.block3"].backward(dy)
    np.testing.assert_array_equal(dx["hsi.block1"], y if join == "add" else x["hsi.block1"])
    # whoever gives a gradient may write there when it has been taken
    assert not any(np.shares_memory(dy, gradient) for gradient in dx.values())


def test_the_gradient_that_a_block_made_of_a_sum_is_handed_on_uncopied():
    joined = JoinSpec("add", ("block2", "block1"), batch_norm=True)
    blocks = CONVOLUTION, replace(CONVOLUTION, inputs=("patch",)), joined
    block = Network(replace(branched(), streams=(stream(*blocks),))).blocks["hsi.block3"]
    dy = block.forward(volumes(["hsi.block1", "hsi.block2"]), TRAINING).copy()
    normalised = block.layers[0]
    made, backward = [], normalised.backward
    normalised.backward = lambda dy: made.append(backward(dy)) or made[0]
    assert all(gradient is made[0] for gradient in block.backward(dy).values())


SHAPE = (2, 4, 4, 3)


@pytest.mark.parametrize(
    "layer",
    [
        *(ActivationLayer("a", SHAPE, activation, "float32") for activation in get_args(Activation)),
        *(BatchNorm("n", SHAPE, "float32", relu) for relu in (False, True)),
        *(PoolingLayer("p", SHAPE, pool, (1, 2, 2), dtype="float32") for pool in get_args(Pool)),
        *(
            Dense("d", 96, 5, activation, initializer=Initializer(1, "float32"))
            for activation in get_args(Activation)
        ),
        Dropout("d", SHAPE, 0.5, "float32"),
        Flatten("f", SHAPE),
    ],
    ids=lambda layer: f"{type(layer).__name__} {layer.describe()}",
)
def test_a_layer_only_reads_the_gradient_that_others_may_have_got_too(layer):
    chance = np.random.default_rng(5)
    x = chance.normal(size=(3, *layer.input_shape)).astype("float32")
    dy = chance.normal(size=layer.forward(x, TRAINING).shape).astype("float32")
    given = dy.tobytes()
    layer.backward(dy)
    assert dy.tobytes() == given


@pytest.mark.parametrize("activation", get_args(Activation))
@pytest.mark.parametrize("pool", ["none", *get_args(Pool)])
def test_a_convolution_only_reads_it_too(pool, activation):
    spec = BlockSpec(3, (2, 2, 2), pool=pool, window=(1, 2, 2), activation=activation)
    layer = Convolution(
        "c",
        (3, 5, 5, 2),
        spec,
        initializer=Initializer(1, "float64"),
        kernels="reference",
        needs_input_gradient=True,
    )
    chance = np.random.default_rng(5)
    dy = chance.normal(size=layer.forward(chance.normal(size=(3, *layer.input_shape)), TRAINING).shape)
    given = dy.tobytes()
    layer.backward(dy)
    assert dy.tobytes() == given


def test_gradients_of_an_output_are_added_in_the_order_of_its_readers():
    block = Network(branched()).blocks["hsi.block4"]
    assert block.outputs == ("hsi.block4", "hsi.block4>block7", "hsi.block4>block8")
    chance = np.random.default_rng(3)
    first, second, third = (chance.normal(size=(2, *block.output_shape)) for _ in range(3))
    assert block.output_gradient([first, second, third]).tobytes() == (first + second + third).tobytes()


def test_pools_activations_and_norms_run_on_zeros_too():
    network = Network(branched())
    for name in network.blocks:
        run_on_zeros(network, name)


@pytest.mark.parametrize("parts", [False, True])
def test_what_parts_of_a_batch_need_runs_on_zeros_where_it_is_asked_for(parts, monkeypatch):
    """A batch that is here has kernels of its own, and its shards others, which a run would compile late."""
    network, measured = Network(branched()), []
    for name in ("measure", "measure_gradient"):
        whole = getattr(BatchNorm, name)
        monkeypatch.setattr(
            BatchNorm,
            name,
            lambda self, *of, name=name, whole=whole: measured.append(name) or whole(self, *of),
        )
    for name in network.blocks:
        run_on_zeros(network, name, ["training", "shards"] if parts else ["training"])
    assert set(measured) == ({"measure", "measure_gradient"} if parts else set())


def test_a_summary_names_joins_and_what_follows_them():
    lines = Network(branched()).summary().splitlines()
    layers = [line.split()[0] for line in lines if line.startswith("hsi.block8")]
    expected = ["add", "batchnorm", "pool", "dropout"]
    assert layers == [f"hsi.block8.{kind}" for kind in expected]


def test_an_evaluation_is_the_same_twice():
    network = Network(branched())
    patches, _ = random_batch(network.spec, 3)
    once = network.forward(patches, EVALUATION).copy()
    assert network.forward(patches, EVALUATION).tobytes() == once.tobytes()


def separate(network, patches):
    """Logits by every layer in a pass of its own."""
    outputs = dict(patches)
    for block in network.blocks.values():
        x = block.join(outputs)
        for layer in block.layers:
            x = layer.forward(x, EVALUATION)
        outputs.update(dict.fromkeys(block.outputs, x.copy()))
    return outputs[OUTPUT]


SHORTCUT = JoinSpec("add", ("block1", "block2"))
NORMED = JoinSpec("add", batch_norm=True, activation="relu")
# a convolution between blocks of one shape, which has another reader where it is named twice
BETWEEN = replace(CONVOLUTION, inputs=("block1",), activation="none")
SUMS = {
    "read by a norm and another block": (
        (CONVOLUTION, BETWEEN, SHORTCUT, NORMED, JoinSpec("add", ("block3", "block4"))),
        1,
    ),
    "read by a norm alone": ((CONVOLUTION, BETWEEN, SHORTCUT, NORMED), 1),
    "normalised by the join": ((CONVOLUTION, BETWEEN, replace(NORMED, inputs=("block1", "block2"))), 1),
    "with ReLU": ((CONVOLUTION, BETWEEN, replace(SHORTCUT, activation="relu"), NORMED), 1),
    "with another activation": ((CONVOLUTION, BETWEEN, replace(SHORTCUT, activation="sigmoid"), NORMED), 1),
    "the convolution first": ((CONVOLUTION, BETWEEN, JoinSpec("add", ("block2", "block1"))), 0),
    "the convolution read twice": (
        (CONVOLUTION, BETWEEN, SHORTCUT, JoinSpec("add", ("block3", "block2"))),
        0,
    ),
    "of four": (
        (
            *[replace(BETWEEN, inputs=("patch",))] * 4,
            JoinSpec("add", tuple(f"block{i}" for i in range(1, 5))),
        ),
        1,
    ),
    "of five": (
        (
            *[replace(BETWEEN, inputs=("patch",))] * 5,
            JoinSpec("add", tuple(f"block{i}" for i in range(1, 6))),
        ),
        0,
    ),
    "channels side by side": ((CONVOLUTION, BETWEEN, JoinSpec("concatenate", ("block1", "block2"))), 0),
}


@pytest.mark.parametrize("name", SUMS)
def test_inference_makes_a_sum_with_the_convolution_before_it_and_keeps_the_bits_of_both(name):
    """Only the last summand, made when the others are there, and read by nobody else."""
    blocks, count = SUMS[name]
    network = Network(replace(branched(), streams=(stream(*blocks),), fusion=()))
    assert len(sum_passes(network.blocks)) == count
    patches, _ = random_batch(network.spec, 3)
    for parameter in network.parameters.values():
        parameter.value[:] += np.linspace(0.1, 0.7, parameter.value.size).reshape(parameter.value.shape)
    made = network.forward(patches, EVALUATION).copy()
    assert made.tobytes() == separate(network, patches).tobytes()


# of a kernel that can add its output in place
SLICES = BlockSpec(16, (5, 1, 1), padding=("same", "valid", "valid"), pool="none", batch_norm=False)
BRANCH = replace(SLICES, inputs=("block1",))
SUM_OF_FOUR = JoinSpec("add", ("block2", "block3", "block4", "block5"))
IN_PLACE = {
    "all after the first": ((*[BRANCH] * 4, SUM_OF_FOUR), 2),
    "a norm behind": ((*[BRANCH] * 4, SUM_OF_FOUR, NORMED), 2),
    "until one is read twice": ((*[BRANCH] * 4, SUM_OF_FOUR, JoinSpec("add", ("block4", "block6"))), 1),
    "not onto what a norm gives": ((replace(BRANCH, batch_norm=True), *[BRANCH] * 3, SUM_OF_FOUR), 0),
    "not by a kernel that cannot": (
        (*[BRANCH] * 2, replace(BRANCH, kernel=(1, 1, 1)), BRANCH, SUM_OF_FOUR),
        1,
    ),
    "until one was made before": (
        (*[BRANCH] * 4, JoinSpec("add", ("block2", "block4", "block3", "block5"))),
        1,
    ),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_summands_are_added_in_place_where_nobody_else_reads_the_sum_so_far(name):
    blocks, count = IN_PLACE[name]
    spec = StreamSpec("hsi", 20, 3, (replace(SLICES, kernel=(1, 1, 1)), *blocks), ())
    network = Network(replace(branched(), streams=(spec,), fusion=(), dtype="float32", kernels="fast"))
    layer = network.blocks["hsi.block3"].layers[0]
    assert isinstance(layer, Convolution)
    assert layer.adds
    assert len(summands(network.blocks, sum_passes(network.blocks))) == count
    patches, _ = random_batch(network.spec, 3)
    for parameter in network.parameters.values():
        parameter.value[:] += np.linspace(0.1, 0.7, parameter.value.size).reshape(parameter.value.shape)
    for _ in range(2):
        made = network.forward(patches, EVALUATION).copy()
        assert made.tobytes() == separate(network, patches).tobytes()


def test_an_inference_that_makes_sums_leaves_nothing_for_a_backward():
    """What a join or a norm kept of a training before is of other patches."""
    network = Network(replace(branched(), streams=(stream(*SUMS["read by a norm alone"][0]),), fusion=()))
    patches, _ = random_batch(network.spec, 3)
    dy = network.forward(patches, TRAINING).copy()
    network.forward(patches, EVALUATION)
    with pytest.raises(NetworkError, match="backward without a training forward"):
        network.backward(dy)


@pytest.mark.parametrize(
    ("blocks", "problem"),
    [
        (
            (CONVOLUTION, JoinSpec("add", ("block1", "block3"))),
            "block2 of stream hsi reads 'block3'; it can read patch, block1",
        ),
        (
            (CONVOLUTION, JoinSpec("add", ("block1", "block1"))),
            "block2 of stream hsi reads the same block twice",
        ),
        ((CONVOLUTION, JoinSpec("add", ("patch", "block1"))), "block2 of stream hsi joins the patch itself"),
        ((JoinSpec("add"),), "block1 of stream hsi joins the patch itself"),
        (
            (CONVOLUTION, replace(CONVOLUTION, inputs=("patch",))),
            "block1 of stream hsi is read by no other block",
        ),
        (
            (CONVOLUTION, CONVOLUTION, replace(CONVOLUTION, inputs=("block1", "block2"))),
            "block3 of stream hsi is a convolution of 2 inputs; join them first",
        ),
        (
            (CONVOLUTION, replace(CONVOLUTION, filters=3), JoinSpec("add", ("block1", "block2"))),
            "add3 of stream hsi: inputs of 4x3x3x2, 4x3x3x3, expected one shape; pad",
        ),
        (
            (
                CONVOLUTION,
                replace(CONVOLUTION, kernel=(2, 1, 1)),
                JoinSpec("concatenate", ("block1", "block2")),
            ),
            "concatenate3 of stream hsi: inputs of 4x3x3x2, 3x3x3x2, expected equal bands, rows and columns",
        ),
        (
            (CONVOLUTION, JoinSpec("add", pool="max", window=(2, 4, 2))),
            "pool2 of stream hsi: 3 rows left, window needs 4",
        ),
        (
            (CONVOLUTION, JoinSpec("multiply")),
            "join2 of stream hsi: join is 'multiply'; use one of: add, concat",
        ),
        ((CONVOLUTION, JoinSpec("add", dropout=1.0)), "dropout2 of stream hsi: dropout is 1.0"),
        ((replace(CONVOLUTION, after="tanh"),), "conv1 of stream hsi: after is 'tanh'"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(blocks, problem):
    with pytest.raises(NetworkError) as raised:
        stream(*blocks, dense=(DenseSpec(3),))
    assert f"{raised.value.problem}; {raised.value.hint}".startswith(problem) or problem in str(raised.value)


def test_a_convolution_over_all_bands_is_a_2d_layer():
    """Kernel (bands, 3, 3): each filter sees every band, and one band is left, as of a 2D convolution."""
    spec = replace(branched(), streams=(stream(BlockSpec(5, (4, 3, 3), pool="none", batch_norm=False)),))
    block = Network(spec).blocks["hsi.block1"]
    assert block.output_shape == (1, 1, 1, 5)
    x = np.random.default_rng(0).normal(size=(2, 4, 3, 3))
    weights, bias = (parameter.value for parameter in block.layers[0].parameters)
    expected = np.maximum(np.einsum("nbrc,brcf->nf", x, weights[..., 0, :]) + bias, 0)
    np.testing.assert_allclose(block.forward({"hsi": x}, EVALUATION)[:, 0, 0, 0], expected, atol=1e-12)


def test_a_kernel_along_the_spectrum_of_the_patch_is_depthwise():
    """Kernel (k, 1, 1) on one channel: each pixel's spectrum by itself, with every filter."""
    spec = replace(branched(), streams=(stream(replace(CONVOLUTION, kernel=(3, 1, 1), activation="none")),))
    block = Network(spec).blocks["hsi.block1"]
    x = np.random.default_rng(0).normal(size=(1, 4, 3, 3))
    y = block.forward({"hsi": x}, EVALUATION)
    weights = block.layers[0].parameters[0].value[:, 0, 0, 0]
    spectrum = x[0, :, 2, 1]
    for number in range(2):
        expected = np.correlate(spectrum, weights[:, number], "valid")
        np.testing.assert_allclose(y[0, :, 2, 1, number], expected, atol=1e-12)
