"""Small networks and batches for the tests of this room."""

import numpy as np

from mpmm.network import BlockSpec, DenseSpec, NetworkSpec, Step, StreamSpec, paper


def small(dtype="float64", kernels="fast", seed=3, dropout=0.4, block_dropout=0.2, classes=5):
    """HSI and RGB streams with every kind of layer of `paper`, dropout in blocks too, on 9x9 patches."""
    hsi = StreamSpec(
        "hsi",
        12,
        9,
        (
            BlockSpec(4, (5, 3, 3), window=(2, 2, 2), dropout=block_dropout),
            BlockSpec(6, (3, 3, 3), window=(2, 1, 1)),
        ),
        (DenseSpec(8, dropout=dropout),),
    )
    rgb = StreamSpec(
        "rgb",
        3,
        9,
        (BlockSpec(4, (3, 3, 3), padding=("same", "valid", "valid"), window=(1, 2, 2)),),
        (DenseSpec(7, dropout=dropout),),
    )
    fusion = (DenseSpec(9, dropout=dropout), DenseSpec(6))
    return NetworkSpec((hsi, rgb), fusion, classes, dtype=dtype, kernels=kernels, seed=seed)


def three_modalities(dtype="float64"):
    """Average pool, sigmoid, same padding, strides, no pool, no activation, no batch-norm, no dense."""
    hsi = StreamSpec(
        "hsi",
        9,
        7,
        (
            BlockSpec(3, (3, 3, 3), activation="sigmoid", pool="average", window=(2, 2, 2)),
            BlockSpec(4, (2, 2, 2), activation="none", pool="none", batch_norm=False),
        ),
        (DenseSpec(5, "sigmoid"), DenseSpec(4, "none")),
    )
    rgb = StreamSpec(
        "rgb", 3, 7, (BlockSpec(4, (3, 3, 3), stride=(1, 2, 2), padding="same", window=(3, 2, 2)),)
    )
    lidar = StreamSpec("lidar", 2, 5, (), (DenseSpec(6),))
    return NetworkSpec((hsi, rgb, lidar), (DenseSpec(7, "sigmoid"),), 4, dtype=dtype, seed=11)


def single_modality(dtype="float64"):
    return NetworkSpec((small(dtype).streams[0],), (DenseSpec(6),), 3, dtype=dtype, seed=5)


def reduced_paper(dtype="float64", dropout=0.5):
    """The `paper` network as it is, on few bands and small patches for which others compile the kernels."""
    return paper({"hsi": 30, "rgb": 3}, 6, size=22, dropout=dropout, dtype=dtype, seed=1)


def random_batch(spec, samples, seed=0):
    """Patches by modality, and labels, by seed."""
    generator = np.random.default_rng(seed)
    patches = {
        stream.name: generator.normal(size=(samples, stream.bands, stream.size, stream.size)).astype(
            spec.dtype
        )
        for stream in spec.streams
    }
    return patches, generator.integers(0, spec.classes, samples)


TRAINING = Step(training=True, number=1, seed=7)
