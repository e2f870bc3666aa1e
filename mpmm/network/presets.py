"""The paper's network for any number of modalities; a reconstruction, see docs/network.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict, Unpack

from mpmm.errors import NetworkError
from mpmm.network.block_spec import BlockSpec, DenseSpec
from mpmm.network.spec import NetworkSpec, StreamSpec
from mpmm.network.vocabulary import DType, Kernels, Padding, Start

# Below this many bands nothing is left of the spectrum after the hyperspectral stream's three blocks.
SPECTRAL_BANDS = 30


class NetworkOptions(TypedDict, total=False):
    """What a preset takes for the whole network, with the defaults of `NetworkSpec`."""

    dtype: DType
    kernels: Kernels
    seed: int
    start: Start


def paper(
    bands: Mapping[str, int],
    classes: int,
    size: int = 25,
    modalities: Sequence[str] = ("hsi", "rgb"),
    *,
    dropout: float = 0.5,
    **options: Unpack[NetworkOptions],
) -> NetworkSpec:
    """The network of the paper: a stream of three blocks a modality, and a fusion of dense layers.

    A modality of 30 bands or more gets the paper's hyperspectral stream (convolving along the spectrum),
    any other its RGB stream. Filter counts and widths are a reconstruction: the paper's Figure 2 with the
    exact numbers is not available.

    Parameters
    ----------
    bands
        Bands of each modality, e.g. ``{"hsi": 48, "rgb": 3}``; may hold more than ``modalities``.
    classes
        Number of classes, the length of a row of logits.
    size
        Rows and columns of a patch; 18 is the least that the three blocks leave something of.
    modalities
        The streams, in order; one alone gives the paper's HSI-only or RGB-only network.
    dropout
        Share of the outputs set to zero in training, behind each stream's dense layer and the first of the
        fusion.
    options
        ``dtype``, ``kernels``, ``seed`` and ``start`` of the `NetworkSpec`.

    Returns
    -------
    NetworkSpec

    Raises
    ------
    NetworkError
        A modality has no bands given, or a layer does not fit the patches.

    References
    ----------
    Aspri, Tsagkatakis, Tsakalides, "Distributed Training and Inference of Deep Learning Models for
    Multi-Modal Land Cover Classification", Remote Sensing 2020, 12, 2670, section 3.
    """
    for name in modalities:
        if name not in bands:
            raise NetworkError(f"stream {name}: no such modality", f"known: {', '.join(sorted(bands))}")
    return NetworkSpec(
        streams=tuple(paper_stream(name, bands[name], size, dropout) for name in modalities),
        fusion=paper_fusion(dropout),
        classes=classes,
        **options,
    )


def paper_stream(name: str, bands: int, size: int, dropout: float = 0.5) -> StreamSpec:
    """The paper's stream for a modality: convolving along the spectrum from 30 bands on."""
    blocks = _spectral_blocks() if bands >= SPECTRAL_BANDS else _spatial_blocks(bands)
    return StreamSpec(name, bands, size, blocks, (DenseSpec(256, dropout=dropout),))


def paper_fusion(dropout: float = 0.5) -> tuple[DenseSpec, ...]:
    """The paper's dense layers between the concatenated streams and the classes."""
    return (DenseSpec(256, dropout=dropout), DenseSpec(128))


def _spectral_blocks() -> tuple[BlockSpec, ...]:
    return (
        BlockSpec(16, (7, 3, 3), window=(2, 2, 2)),
        BlockSpec(32, (5, 3, 3), window=(2, 2, 2)),
        BlockSpec(64, (3, 3, 3), window=(2, 1, 1)),
    )


def _spatial_blocks(bands: int) -> tuple[BlockSpec, ...]:
    padding: tuple[Padding, Padding, Padding] = ("same", "valid", "valid")
    return (
        BlockSpec(16, (3, 3, 3), padding=padding, window=(1, 2, 2)),
        BlockSpec(32, (3, 3, 3), padding=padding, window=(1, 2, 2)),
        BlockSpec(64, (3, 3, 3), padding=padding, window=(min(3, max(bands, 1)), 1, 1)),
    )
