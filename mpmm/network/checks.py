"""Checks of a network's description at the door; every message names the layer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import get_args

from mpmm.errors import NetworkError
from mpmm.network.block_spec import BlockSpec, DenseSpec, JoinSpec
from mpmm.network.names import FUSION
from mpmm.network.vocabulary import Activation, DType, Join, Kernels, Padding, Pool, Start

ACTIVATIONS, POOLS, PADDINGS = get_args(Activation), get_args(Pool), get_args(Padding)
JOINS = get_args(Join)
DTYPES, KERNELS, STARTS = get_args(DType), get_args(Kernels), get_args(Start)


def check_name(name: str) -> None:
    """A stream's name becomes part of parameter names, so it holds no dot and is not the fusion's."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name) or name == FUSION:
        raise NetworkError(
            f"'{name}' cannot name a stream", "use letters, digits, '_' and '-', and not the word 'fusion'"
        )


def check_patch(stream: str, bands: int, size: int) -> None:
    """A stream reads patches of at least one band and one pixel."""
    _check_count(bands, f"stream {stream}", "bands")
    _check_count(size, f"stream {stream}", "patch size")


def check_block(block: BlockSpec | JoinSpec, index: int, stream: str) -> None:
    """Every value of a block is of its range."""
    if isinstance(block, JoinSpec):
        _check_join(block, index, stream)
    else:
        _check_convolution(block, index, stream)


def _check_join(block: JoinSpec, index: int, stream: str) -> None:
    layer, pool = f"join{index} of stream {stream}", f"pool{index} of stream {stream}"
    _check_choice(block.join, JOINS, layer, "join")
    _check_choice(block.activation, ACTIVATIONS, layer, "activation")
    _check_choice(block.pool, POOLS, pool, "pool")
    _check_triple(block.window, pool, "window")
    _check_share(block.dropout, f"dropout{index} of stream {stream}")


def _check_convolution(block: BlockSpec, index: int, stream: str) -> None:
    conv, pool = f"conv{index} of stream {stream}", f"pool{index} of stream {stream}"
    _check_count(block.filters, conv, "filters")
    _check_triple(block.kernel, conv, "kernel")
    _check_triple(block.stride, conv, "stride")
    if len(block.paddings) != 3:
        raise NetworkError(
            f"{conv}: padding has {len(block.paddings)} values, expected one or three",
            "one for all axes, or one each for bands, rows, columns",
        )
    for padding in block.paddings:
        _check_choice(padding, PADDINGS, conv, "padding")
    _check_choice(block.activation, ACTIVATIONS, conv, "activation")
    _check_choice(block.after, ACTIVATIONS, conv, "after")
    _check_choice(block.pool, POOLS, pool, "pool")
    _check_triple(block.window, pool, "window")
    _check_share(block.dropout, f"dropout{index} of stream {stream}")
    if block.kernels is not None:
        _check_choice(block.kernels, KERNELS, conv, "kernels")


def check_dense(dense: DenseSpec, layer: str) -> None:
    """Every value of a dense layer is of its range."""
    _check_count(dense.units, layer, "units")
    _check_choice(dense.activation, ACTIVATIONS, layer, "activation")
    _check_share(dense.dropout, layer)


def check_streams(names: Sequence[str]) -> None:
    """A network has at least one stream, each modality once."""
    if not names:
        raise NetworkError("a network needs at least one stream", "name a modality of the scene")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise NetworkError(f"stream {twice[0]} is there twice", "each modality has one stream")


def check_network(classes: int, dtype: str, kernels: str, seed: int, start: str) -> None:
    """The network's own values are of their range."""
    if classes < 2:
        raise NetworkError(f"a network needs at least 2 classes, got {classes}", "check the labels' classes")
    _check_choice(dtype, DTYPES, "network", "dtype")
    _check_choice(kernels, KERNELS, "network", "kernels")
    _check_choice(start, STARTS, "network", "start")
    if not 0 <= seed < 2**63:
        raise NetworkError(f"network: seed is {seed}, expected 0 to 2^63 - 1", "use a smaller one")


def _check_count(value: int, layer: str, quantity: str) -> None:
    if value < 1:
        raise NetworkError(
            f"{layer}: {quantity} is {value}, expected 1 or more", "use a whole number above 0"
        )


def _check_triple(values: Sequence[int], layer: str, quantity: str) -> None:
    if len(values) != 3 or min(values) < 1:
        raise NetworkError(
            f"{layer}: {quantity} is {tuple(values)}, expected three numbers of 1 or more",
            "give one each for bands, rows, columns",
        )


def _check_choice(value: str, known: Sequence[str], layer: str, quantity: str) -> None:
    if value not in known:
        raise NetworkError(f"{layer}: {quantity} is '{value}'", f"use one of: {', '.join(known)}")


def _check_share(value: float, layer: str) -> None:
    if not 0.0 <= value < 1.0:
        raise NetworkError(
            f"{layer}: dropout is {value}, expected 0 or more and less than 1",
            "it is the share of outputs set to zero in training",
        )
