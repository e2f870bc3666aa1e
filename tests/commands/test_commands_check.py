"""`mpmm check`: each thing that a user needs to see before training, and the picture."""

import re
import shutil
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.image import imread
from scenes import tiny_scene

from mpmm import commands
from mpmm.commands import check
from mpmm.errors import MpmmError, PatchError
from mpmm.preparation import draw
from mpmm.settings.config import load_config


def run(*arguments):
    done = CliRunner().invoke(check.command, [str(one) for one in arguments])
    if done.exception is not None and not isinstance(done.exception, (MpmmError, SystemExit)):
        raise done.exception
    return done


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return tiny_scene(tmp_path_factory.mktemp("checked"))


@pytest.fixture(scope="module")
def picture(config):
    return config.with_name("scene.png")


@pytest.fixture(scope="module")
def output(config, picture):
    done = run(config, "--picture", picture)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def aligned(config, output):
    return load_config(config).scene.align()


@pytest.mark.parametrize(
    "said",
    [
        # labels
        "Phase2/TrainingGT/2018_IEEE_GRSS_DFC_GT_TR.tif",
        "140 x 240 pixels of 0.5 m, uint8, EPSG:26915",
        # HSI: file, size, pixel size, bands, CRS, factor
        "Phase2/FullHSIDataset/20170218_UH_CASI_S4_NAD83.pix",
        "140 x 210 pixels of 1 m, 48 of 50 bands (374.4 to 1047.1 nm), uint16",
        "EPSG:26915; resampled 2 times up (bilinear)",
        # RGB: every tile
        *(f"UH_NAD83_{east}_3289689.tif" for east in (272056, 272086, 272116, 272146)),
        "1400 x 2400 pixels of 0.05 m, 3 bands (band 1 ... band 3), uint8",
        "EPSG:26915; resampled 10 times down (average)",
        "0.0% of the label grid without data",
        # needs
        "disk       sources 13 MB; aligned scene 6.99 MB",
        "while the scene is prepared",
        "15.3 MB for 3 batches of 40 patches in training",
        " MB for the network and its optimizer in training",
    ],
)
def test_says(output, said):
    assert said in output


def test_says_the_value_range_of_each_modality(output, aligned):
    found = re.findall(r"values (\S+) to (\S+);", output)
    assert len(found) == 2
    for (low, high), modality in zip(found, aligned.modalities.values(), strict=True):
        assert float(low) == pytest.approx(modality.values.min(), rel=1e-4)
        assert float(high) == pytest.approx(modality.values.max(), rel=1e-4)


def rows(output, title):
    """A table's rows: class name to its numbers."""
    table = output[output.index(title) :]
    found = {}
    for line in table.splitlines()[1:]:
        match = re.match(r"\s*(?:\d+\s+■ |)([a-z][a-z0-9 -]*?)\s{2,}([\d, ]+?)\s*$", line)
        if match:
            found[match[1]] = [int(one.replace(",", "")) for one in match[2].split()]
        if match and match[1] == "all":
            return found
    raise AssertionError(f"no whole table {title!r} in\n{output}")


def test_counts_labelled_and_usable_pixels_of_each_class(output, aligned):
    found = rows(output, "Labelled pixels")
    assert len(found) == 21
    for cover in aligned.classes:
        there = aligned.labels == cover.id
        labelled, edge, missing, usable = found[cover.name]
        assert (labelled, missing, usable) == (there.sum(), 0, there[12:-12, 12:-12].sum())
        assert edge == labelled - usable
    assert found["all"] == [
        sum(column) for column in zip(*(found[c.name] for c in aligned.classes), strict=True)
    ]


def test_says_the_split_that_training_draws(output, config, aligned):
    split = draw(load_config(config), aligned)
    found = rows(output, "Patches of 25 x 25 pixels")
    for cover, counts in zip(aligned.classes, split.counts().tolist(), strict=True):
        assert found[cover.name] == [40, sum(counts), *counts]
    assert found["all"] == [800, 800, 560, 120, 120]
    shares = [f"{100 * split.leak(part):.1f}% of {part}" for part in ("validation", "test")]
    assert f"random: {' and '.join(shares)} patches share pixels with a training patch" in output


def test_lost_to_missing_data_is_told_apart_from_the_edge(tmp_path):
    config = tiny_scene(tmp_path)
    text = config.read_text()
    # the last of the four tiles is left out: its quarter of the scene has no RGB
    text = text.replace('preset = "dfc2018"\n', "").replace("lidar = false\n", "")
    text = text.replace("[patches]", PLAIN + "[patches]")
    config.write_text(text)
    done = run(config)
    # the stadium lies there: the table shows why a class is left without a patch, then the error names it
    assert isinstance(done.exception, PatchError)
    found = rows(done.output, "Labelled pixels")
    labelled, _, missing, usable = found["class 3"]
    assert (missing, usable) == (labelled, 0)
    assert 1000 < found["all"][2] < found["all"][0] / 2
    assert re.search(r"\n\s+values .*; 25\.0% of the label grid without data", done.output)


PLAIN = """
[scene.labels]
file = "Phase2/TrainingGT/2018_IEEE_GRSS_DFC_GT_TR.tif"
[scene.modalities.hsi]
files = ["Phase2/FullHSIDataset/*.pix"]
drop_bands = [49, 50]
[scene.modalities.rgb]
files = ["Phase2/Final RGB HR Imagery/UH_NAD83_2720*.tif", "Phase2/Final RGB HR Imagery/UH_NAD83_272116*.tif"]
"""


def test_a_modality_that_the_network_leaves_out_is_said_to_be_unused(tmp_path):
    config = tiny_scene(tmp_path)
    config.write_text(config.read_text().replace('modalities = ["hsi", "rgb"]', 'modalities = ["rgb"]'))
    done = run(config)
    assert "20170218_UH_CASI_S4_NAD83.pix  (not used by the network)" in done.output
    assert "UH_NAD83_272056_3289689.tif  (not" not in done.output


def test_a_class_that_is_short_is_named(tmp_path):
    config = tiny_scene(tmp_path)
    config.write_text(config.read_text().replace("per_class = 40", "per_class = 300"))
    done = run(config)
    line = next(line for line in done.output.splitlines() if line.startswith("short "))
    assert "fewer patches than asked for: " in line
    assert "water" in line
    assert "roads" not in line


def test_block_split_leaks_nothing_and_says_so(tmp_path):
    config = tiny_scene(tmp_path)
    config.write_text(config.read_text().replace('split = "random"', 'split = "block"'))
    done = run(config)
    assert re.search(r"block \(blocks of \d+ pixels\): 0\.0% of validation and 0\.0% of test", done.output)


def test_picture_is_a_png_with_all_panels(picture, output, aligned):
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"picture    {picture}" in output
    image = imread(picture)[..., :3]
    assert image.shape[0] > 600
    assert image.shape[1] > 1000
    # every panel holds something: no quarter of the picture is blank
    for half in np.array_split(image, 2, axis=0):
        for quarter in np.array_split(half[:, : image.shape[1] * 4 // 5], 2, axis=1):
            assert quarter.std() > 0.1
    # class colours of the labels and the legend
    flat = (image.reshape(-1, 3) * 255).round().astype(int)
    for cover in aligned.classes:
        colour = [int(cover.color[at : at + 2], 16) for at in (1, 3, 5)]
        assert (np.abs(flat - colour).max(axis=1) <= 2).sum() > 60, cover.name


def refused(monkeypatch, capsys, *arguments):
    """Run the program; its error output's lines."""
    monkeypatch.setattr(sys, "argv", ["mpmm", "check", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        commands.main()
    assert ended.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2, lines
    assert lines[0].startswith("error: ")
    assert lines[1].startswith("hint: ")
    return lines


def test_bad_configuration_is_one_line_and_a_hint(tmp_path, monkeypatch, capsys):
    config = tmp_path / "mpmm.toml"
    config.write_text('[scene]\nfoldr = "x"\n')
    first, _ = refused(monkeypatch, capsys, config)
    assert "foldr" in first


def test_missing_tile_is_one_line_and_a_hint(tmp_path, monkeypatch, capsys):
    config = tiny_scene(tmp_path)
    tile = next(tmp_path.rglob("UH_NAD83_272086_*.tif"))
    tile.unlink()
    first, _ = refused(monkeypatch, capsys, config)
    assert tile.name in first
    assert not list(tmp_path.rglob(".mpmm_cache")), "nothing is written before all is checked"


@pytest.mark.parametrize(("name", "said"), [("a.jpg", "PNG"), ("none/a.png", "does not exist")])
def test_picture_that_cannot_be_written_is_refused_first(config, monkeypatch, capsys, name, said):
    first, _ = refused(monkeypatch, capsys, config, "--picture", config.parent / name)
    assert said in first


def test_a_moved_scene_still_works(tmp_path):
    before = tiny_scene(tmp_path / "before")
    shutil.move(before.parent, tmp_path / "after")
    assert run(tmp_path / "after" / "mpmm.toml").exit_code == 0


def test_says_how_much_is_not_labelled(output, aligned):
    found = re.search(r"20 classes; (\S+)% of the pixels are not labelled", output)
    assert found is not None
    assert float(found[1]) == pytest.approx(100 * np.mean(aligned.labels == 0), abs=0.06)
