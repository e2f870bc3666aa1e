"""Networks of the literature as streams, for any bands and patch size; each chain as its paper has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal, get_args

from mpmm.errors import NetworkError
from mpmm.network.block_spec import BlockSpec, DenseSpec, JoinSpec
from mpmm.network.presets import paper_fusion, paper_stream
from mpmm.network.shapes import Volume, pooled
from mpmm.network.spec import StreamSpec
from mpmm.network.vocabulary import Padding
from mpmm.network.wiring import sources_of

Preset = Literal["paper", "hybridsn", "hamida", "li", "chen", "ahmad", "he", "ssrn", "bottleneck"]
PRESETS: tuple[str, ...] = get_args(Preset)

# "same" along the bands stands for a padding of a fixed count
ALONG_BANDS: tuple[Padding, Padding, Padding] = ("same", "valid", "valid")
Blocks = tuple[BlockSpec | JoinSpec, ...]
Layers = tuple[Blocks, tuple[DenseSpec, ...]]

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
    blocks, dense = _STREAMS[preset](bands, size)
    return StreamSpec(name, bands, size, _fitting(blocks, (bands, size, size), name), dense)


def preset_fusion(preset: Preset) -> tuple[DenseSpec, ...]:
    """The preset's dense layers behind the streams: none but in the paper's, as others have one stream."""
    return paper_fusion() if preset == "paper" else ()


def _fitting(blocks: Blocks, patch: Volume, stream: str) -> Blocks:
    """The blocks with no kernel or window longer than what is left where it begins."""
    fitting: list[BlockSpec | JoinSpec] = []
    volumes = [patch]
    for index, (block, sources) in enumerate(zip(blocks, sources_of(blocks, stream), strict=True), 1):
        volume = volumes[sources[0]]
        if isinstance(block, BlockSpec):
            block = replace(block, kernel=_shorter(block.kernel, volume))
            volume = replace(block, pool="none").output(volume, index, stream)
        if block.pool != "none":
            block = replace(block, window=_shorter(block.window, volume))
            volume = pooled(volume, block.window, f"pool{index} of stream {stream}")
        fitting.append(block)
        volumes.append(volume)
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


def _joined(*inputs: int, norm: bool = False) -> JoinSpec:
    """The sum of some blocks, or of the one before, with ReLU behind it, or batch-norm and ReLU."""
    names = tuple(f"block{number}" for number in inputs)
    return JoinSpec("add", names, batch_norm=norm, activation="relu")


def _hybridsn(bands: int, size: int) -> Layers:
    """Roy et al. 2020, doi:10.1109/LGRS.2019.2918719; its 2D layer as the 3D one that it equals."""
    spectral = [_convolution(8 << i, (depth, 3, 3)) for i, depth in enumerate((7, 5, 3))]
    return (*spectral, _convolution(64, (bands, 3, 3))), HEAD


def _ahmad(bands: int, size: int) -> Layers:
    """Ahmad et al. 2020, doi:10.1109/LGRS.2020.3043710."""
    depths = (7, 5, 3, 3)
    return tuple(_convolution(8 << i, (depth, 3, 3)) for i, depth in enumerate(depths)), HEAD


def _hamida(bands: int, size: int) -> Layers:
    """Ben Hamida et al. 2018, doi:10.1109/TGRS.2018.2818945: its pools are convolutions with a stride."""
    return (
        _convolution(20, (3, 3, 3)),
        _convolution(20, (3, 1, 1), ALONG_BANDS, (2, 1, 1)),
        _convolution(35, (3, 3, 3), ALONG_BANDS),
        _convolution(35, (3, 1, 1), ALONG_BANDS, (2, 1, 1)),
        _convolution(35, (3, 1, 1), ALONG_BANDS),
        _convolution(35, (2, 1, 1), ALONG_BANDS, (2, 1, 1)),
    ), ()


def _li(bands: int, size: int) -> Layers:
    """Li et al. 2017, doi:10.3390/rs9010067."""
    return (_convolution(2, (7, 3, 3), ALONG_BANDS), _convolution(4, (3, 3, 3), ALONG_BANDS)), ()


def _chen(bands: int, size: int) -> Layers:
    """Chen et al. 2016, doi:10.1109/TGRS.2016.2584107."""
    kernels = (32, 4, 4), (32, 5, 5)
    blocks = [replace(_convolution(32, kernel), pool="max", window=(1, 2, 2)) for kernel in kernels]
    return (*blocks, _convolution(32, (32, 4, 4))), ()


def _he(bands: int, size: int) -> Layers:
    """He et al. 2017, doi:10.1109/ICIP.2017.8297014: sums of parallel kernels along the spectrum."""
    blocks: list[BlockSpec | JoinSpec] = [_convolution(16, (11, 3, 3), stride=(3, 1, 1))]
    for _ in range(2):
        source = len(blocks)
        for depth in (1, 3, 5, 11):
            scale = _convolution(16, (depth, 1, 1), ALONG_BANDS)
            blocks.append(replace(scale, activation="none", inputs=(f"block{source}",)))
        blocks.append(_joined(*range(source + 1, source + 5)))
    return (*blocks, replace(_convolution(16, (3, 2, 2)), dropout=0.6)), ()


def _ssrn(bands: int, size: int) -> Layers:
    """Zhong et al. 2018, doi:10.1109/TGRS.2017.2755542: batch-norm and ReLU stand before convolutions."""
    blocks: list[BlockSpec | JoinSpec] = [_normalised(24, (7, 1, 1), stride=(2, 1, 1))]
    _append_residuals(blocks, (7, 1, 1))
    blocks += [_joined(norm=True), _normalised(128, (bands, 1, 1)), _normalised(24, (1, 3, 3))]
    _append_residuals(blocks, (1, 3, 3))
    last = replace(_joined(norm=True), pool="average", window=(1, size, size), dropout=0.5)
    return (*blocks, last), ()


def _append_residuals(blocks: list[BlockSpec | JoinSpec], kernel: Volume) -> None:
    """Two units of two convolutions each, with a shortcut over them."""
    for unit in range(2):
        source = f"block{len(blocks)}"
        if unit > 0:
            blocks.append(_joined(norm=True))
        second = replace(_convolution(24, kernel, "same"), activation="none")
        blocks += [_normalised(24, kernel, "same"), second]
        blocks.append(JoinSpec("add", (source, f"block{len(blocks)}")))


def _normalised(
    filters: int, kernel: Volume, padding: Padding = "valid", stride: Volume = (1, 1, 1)
) -> BlockSpec:
    """A convolution, then batch-norm, then ReLU."""
    plain = _convolution(filters, kernel, padding, stride)
    return replace(plain, activation="none", batch_norm=True, after="relu")


def _bottleneck(bands: int, size: int) -> Layers:
    """This project's own: kernels of one element between those of 3 x 3 x 3, as in arXiv:1312.4400."""
    wide, mixed = _convolution(64, (3, 3, 3), "same"), _convolution(64, (1, 1, 1))
    return (
        _convolution(32, (3, 3, 3), "same"),
        mixed,
        BlockSpec(32, (1, 1, 1), window=(2, 1, 1)),
        wide,
        replace(mixed, pool="average", window=(2, 3, 3), batch_norm=True),
    ), ()


_STREAMS: dict[str, Callable[[int, int], Layers]] = {
    "hybridsn": _hybridsn,
    "hamida": _hamida,
    "li": _li,
    "chen": _chen,
    "ahmad": _ahmad,
    "he": _he,
    "ssrn": _ssrn,
    "bottleneck": _bottleneck,
}
