"""A network with all that a join can be: sums, channels side by side, outputs with several readers."""

from __future__ import annotations

from dataclasses import replace

from mpmm.network import (
    BlockSpec,
    DenseSpec,
    DType,
    JoinSpec,
    NetworkSpec,
    Padding,
    Preset,
    StreamSpec,
    preset_fusion,
    preset_stream,
)


def branched(dtype: DType = "float64", padding: Padding = "same", dropout: float = 0.2) -> NetworkSpec:
    """Two streams; in one, two branches read the patch, a shortcut skips two blocks, a pool stands alone.

    With ``padding`` "valid" the kernels between joins are of one pixel, and a map is made window by window.
    """
    wide = 3 if padding == "same" else 1
    plain = {"pool": "none", "batch_norm": False}
    hsi = StreamSpec(
        "hsi",
        8,
        7,
        (
            BlockSpec(3, (3, 3, 3), **plain),
            BlockSpec(3, (3, 2, 2), window=(1, 1, 1), inputs=("patch",)),
            BlockSpec(2, (1, 2, 2), inputs=("block2",), activation="none", pool="none", after="relu"),
            JoinSpec("concatenate", ("block1", "block3"), batch_norm=True, activation="relu"),
            BlockSpec(4, (3, wide, wide), padding=("same", padding, padding), pool="none", activation="none"),
            BlockSpec(5, (1, wide, wide), padding=("same", padding, padding), **plain, dropout=dropout),
            JoinSpec("add", ("block4", "block6"), activation="sigmoid"),
            JoinSpec(
                "add",
                ("block7", "block4"),
                batch_norm=True,
                activation="relu",
                pool="average" if padding == "same" else "max",
                window=(2, 2, 2) if padding == "same" else (1, 2, 2),
                dropout=dropout,
            ),
        ),
        (DenseSpec(6, dropout=dropout),),
    )
    rgb = StreamSpec("rgb", 3, 7, (BlockSpec(2, (3, 3, 3), window=(1, 2, 2)),), (DenseSpec(4),))
    return NetworkSpec((hsi, rgb), (DenseSpec(5),), 3, dtype=dtype, kernels="reference", seed=4)


def tiny_preset(preset: Preset, dtype: DType = "float64") -> NetworkSpec:
    """A preset with all its blocks, of few filters and units, for 14 bands and 7 x 7 pixels.

    The paper's has its two streams and its fusion, on the fewest bands and pixels that leave something.
    """
    bands, size = ({"hsi": 30, "rgb": 3}, 18) if preset == "paper" else ({"hsi": 14}, 7)
    streams = tuple(_narrow(preset, preset_stream(preset, name, bands[name], size)) for name in bands)
    fusion = tuple(replace(dense, units=6) for dense in preset_fusion(preset))
    return NetworkSpec(streams, fusion, 4, dtype=dtype, kernels="reference", seed=2)


def _narrow(preset: Preset, stream: StreamSpec) -> StreamSpec:
    blocks = tuple(
        replace(block, filters=2 if preset in ("he", "ssrn") else 1 + block.filters // 32)
        if isinstance(block, BlockSpec)
        else block
        for block in stream.blocks
    )
    return replace(stream, blocks=blocks, dense=tuple(replace(dense, units=6) for dense in stream.dense))
