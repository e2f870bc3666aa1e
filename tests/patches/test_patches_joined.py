"""Patches of several scenes below each other: each is of its own scene, and none reaches over a border."""

import numpy as np
import pytest

from mpmm.errors import PatchError
from mpmm.patches import (
    PatchReader,
    Samples,
    SplitOptions,
    draw_split,
    measure_normalization,
    orientations,
    overlap_share,
    training_range,
    usable_centres,
)
from mpmm.scene import AlignedModality, AlignedScene, Grid, LandCover, join_scenes

SIZE = 5
SHAPES = ((20, 30), (26, 17), (9, 12))
COVERS = (LandCover(1, "soil", "#102030"), LandCover(2, "tree", "#405060"))


def scene(seed, rows, columns):
    rng = np.random.default_rng(seed)
    values = (rng.random((rows, columns, 3)) + 10 * seed).astype(np.float32)
    modality = AlignedModality("hsi", values, np.ones((rows, columns), bool), "standard", ("a", "b", "c"))
    labels = rng.integers(1, 3, (rows, columns)).astype(np.int16)
    return AlignedScene(Grid.of_pixels(rows, columns), COVERS, labels, {"hsi": modality})


SCENES = [scene(number, *shape) for number, shape in enumerate(SHAPES)]
JOINED = join_scenes(["a", "b", "c"], SCENES)
USABLE = usable_centres([JOINED.modalities["hsi"].present], SIZE)


def drawn(kind):
    options = SplitOptions(SIZE, None, shares=(0.6, 0.2, 0.2), kind=kind, folds=3)
    return draw_split(JOINED.labels, USABLE, [1, 2], options)


def cut(row, column):
    """A patch from the rasters themselves, (bands, rows, columns)."""
    (number,) = JOINED.numbers_of(np.array([row]))
    top, half = row - JOINED.members[number].first, SIZE // 2
    assert half <= top < SHAPES[number][0] - half
    window = (
        SCENES[number]
        .modalities["hsi"]
        .values[top - half : top + half + 1, column - half : column + half + 1]
    )
    return window.transpose(2, 0, 1)


def patches_of(samples):
    return np.stack([cut(*centre) for centre in zip(samples.rows, samples.columns, strict=True)])


def test_every_whole_patch_of_each_scene_is_usable_and_no_other():
    by_scene = [usable_centres([each.modalities["hsi"].present], SIZE) for each in SCENES]
    for member, own in zip(JOINED.members, by_scene, strict=True):
        np.testing.assert_array_equal(USABLE[member.part], own)
    assert USABLE.sum() == sum(own.sum() for own in by_scene)


def turned(patch, code):
    return np.rot90(patch[:, :, ::-1] if code & 4 else patch, code & 3, axes=(1, 2))


@pytest.mark.parametrize("augment", [False, True])
def test_patches_of_a_batch_are_of_their_own_scenes(augment):
    samples = drawn("random").train
    normalization = measure_normalization(JOINED.modalities["hsi"], samples, SIZE)
    reader = PatchReader(JOINED.modalities["hsi"], samples, SIZE, normalization, augment=augment, seed=3)
    indices = np.random.default_rng(0).permutation(len(samples))[:50]
    assert len(set(JOINED.numbers_of(samples.rows[indices]))) == len(SCENES)
    shift, factor = normalization.linear()[:, :, None, None]
    expected = (patches_of(samples.take(indices)) - shift) * factor
    if augment:
        # as in a single scene, flips and turns follow from the sample's number
        expected = np.stack(
            [turned(*pair) for pair in zip(expected, orientations(indices, 1, 3), strict=True)]
        )
    np.testing.assert_allclose(reader.read(indices, epoch=1), expected, rtol=1e-6)


def test_statistics_are_those_of_all_scenes_patches():
    samples = drawn("random").train
    patches = patches_of(samples).astype(np.float64)
    measured = measure_normalization(JOINED.modalities["hsi"], samples, SIZE)
    np.testing.assert_allclose(measured.shift, patches.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(measured.scale, patches.std(axis=(0, 2, 3)), rtol=1e-10)
    low, high = training_range(JOINED.modalities["hsi"], samples, SIZE)
    np.testing.assert_array_equal([low, high], [patches.min(axis=(0, 2, 3)), patches.max(axis=(0, 2, 3))])


@pytest.mark.parametrize("kind", ["random", "block", "folds"])
def test_the_leak_is_that_of_the_scenes_each_for_itself(kind):
    split = drawn(kind)
    own = [[part.within(each.first, each.height) for each in JOINED.members] for part in split.parts.values()]
    shared = sum(overlap_share(test, train, SIZE) * len(test) for train, _, test in zip(*own, strict=True))
    assert split.leak("test") == pytest.approx(shared / len(split.test))
    assert (split.leak("test") == 0) == (kind != "random")


def test_a_sample_between_two_scenes_is_refused():
    modality, between = JOINED.modalities["hsi"], Samples.of([JOINED.members[1].first - 1], [5], [0])
    with pytest.raises(PatchError, match="outside of the scene"):
        measure_normalization(modality, between, SIZE)
    normalization = measure_normalization(modality, drawn("random").train, SIZE)
    with pytest.raises(PatchError, match="leaves the scene of 20 x 30 or 26 x 17 or 9 x 12 pixels"):
        PatchReader(modality, between, SIZE, normalization)
