"""Networks of the literature as streams, for any bands and patch size; each chain as its paper has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, get_args

from mpmm.errors import NetworkError
from mpmm.network.block_spec import BlockSpec, DenseSpec
from mpmm.network.presets import paper_fusion, paper_stream
from mpmm.network.shapes import Volume, pooled
from mpmm.network.spec import StreamSpec
from mpmm.network.vocabulary import Padding

Preset = Literal["paper", "hybridsn", "hamida", "li", "chen", "ahmad"]
PRESETS: tuple[str, ...] = get_args(Preset)

# "same" along the bands stands for a padding of a fixed count
ALONG_BANDS: tuple[Padding, Padding, Padding] = ("same", "valid", "valid")
HEAD = DenseSpec(256, dropout=0.4), DenseSpec(128, dropout=0.4)


def preset_stream(preset: Preset, name: str, bands: int, size: int) -> StreamSpec:
    """The stream of a preset for one modality.

    Kernels and windows are cut to what is left of patches that are narrower, or have fewer bands, than the
    published network's; other widths stay as published.

    Parameters
    ----------
    preset
        Which network.
    name, bands, size
        The modality, its bands, and rows and columns of a patch.

    Raises
    ------
    NetworkError
        There is no such preset, or it leaves nothing of the patch.
    """
    if preset == "paper":
        return paper_stream(name, bands, size)
    if preset not in _STREAMS:
        raise NetworkError(f"no network is called {preset!r}", f"use one of: {', '.join(PRESETS)}")
    blocks, dense = _STREAMS[preset](bands)
    return StreamSpec(name, bands, size, _fitting(blocks, (bands, size, size), name), dense)


def preset_fusion(preset: Preset) -> tuple[DenseSpec, ...]:
    """The preset's dense layers behind the streams: none but in the paper's, as others have one stream."""
    return paper_fusion() if preset == "paper" else ()


def _fitting(blocks: tuple[BlockSpec, ...], volume: Volume, stream: str) -> tuple[BlockSpec, ...]:
    """The blocks with no kernel or window longer than what is left where it begins."""
    fitting = []
    for index, block in enumerate(blocks, 1):
        kernel = _shorter(block.kernel, volume)
        block = replace(block, kernel=kernel)
        volume = replace(block, pool="none").output(volume, index, stream)
        if block.pool != "none":
            block = replace(block, window=_shorter(block.window, volume))
            volume = pooled(volume, block.window, f"pool{index} of stream {stream}")
        fitting.append(block)
    return tuple(fitting)


def _shorter(lengths: Volume, volume: Volume) -> Volume:
    bands, rows, columns = (min(pair) for pair in zip(lengths, volume, strict=True))
    return bands, rows, columns


def _convolution(
    filters: int,
    kernel: Volume,
    padding: Padding | tuple[Padding, Padding, Padding] = "valid",
    stride: Volume = (1, 1, 1),
) -> BlockSpec:
    """A convolution alone: most published networks neither pool nor normalise."""
    return BlockSpec(filters, kernel, stride, padding, pool="none", window=(1, 1, 1), batch_norm=False)


Layers = tuple[tuple[BlockSpec, ...], tuple[DenseSpec, ...]]


def _hybridsn(bands: int) -> Layers:
    """Roy et al. 2020, doi:10.1109/LGRS.2019.2918719; its 2D layer as the 3D one that it equals."""
    spectral = [_convolution(8 << i, (depth, 3, 3)) for i, depth in enumerate((7, 5, 3))]
    return (*spectral, _convolution(64, (bands, 3, 3))), HEAD


def _ahmad(bands: int) -> Layers:
    """Ahmad et al. 2020, doi:10.1109/LGRS.2020.3043710."""
    depths = (7, 5, 3, 3)
    return tuple(_convolution(8 << i, (depth, 3, 3)) for i, depth in enumerate(depths)), HEAD


def _hamida(bands: int) -> Layers:
    """Ben Hamida et al. 2018, doi:10.1109/TGRS.2018.2818945: its pools are convolutions with a stride."""
    return (
        _convolution(20, (3, 3, 3)),
        _convolution(20, (3, 1, 1), ALONG_BANDS, (2, 1, 1)),
        _convolution(35, (3, 3, 3), ALONG_BANDS),
        _convolution(35, (3, 1, 1), ALONG_BANDS, (2, 1, 1)),
        _convolution(35, (3, 1, 1), ALONG_BANDS),
        _convolution(35, (2, 1, 1), ALONG_BANDS, (2, 1, 1)),
    ), ()


def _li(bands: int) -> Layers:
    """Li et al. 2017, doi:10.3390/rs9010067."""
    return (_convolution(2, (7, 3, 3), ALONG_BANDS), _convolution(4, (3, 3, 3), ALONG_BANDS)), ()


def _chen(bands: int) -> Layers:
    """Chen et al. 2016, doi:10.1109/TGRS.2016.2584107."""
    kernels = (32, 4, 4), (32, 5, 5)
    blocks = [replace(_convolution(32, kernel), pool="max", window=(1, 2, 2)) for kernel in kernels]
    return (*blocks, _convolution(32, (32, 4, 4))), ()


_STREAMS: dict[str, Callable[[int], Layers]] = {
    "hybridsn": _hybridsn,
    "hamida": _hamida,
    "li": _li,
    "chen": _chen,
    "ahmad": _ahmad,
}
