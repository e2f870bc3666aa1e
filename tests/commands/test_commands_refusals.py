"""What a scene cannot give is refused by check and train alike: two lines, exit code 1, nothing written."""

import sys

import pytest
from scenes import tiny_scene

from mpmm import commands

OWN = """\
[scene]
folder = "2018IEEE_Contest/Phase2"

[scene.labels]
file = "TrainingGT/2018_IEEE_GRSS_DFC_GT_TR.tif"
ignore = [0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]

[scene.classes]
1 = "healthy grass"
2 = "stressed grass"
{classes}

[scene.modalities.rgb]
files = ["Final RGB HR Imagery/*.tif"]
{modality}

[patches]
size = 25
{patches}
"""


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Run a command on a configuration that replaces the tiny scene's; the two lines, and what it wrote."""
    config = tiny_scene(tmp_path / "scene")

    def run(command, text):
        config.write_text(text)
        before = set(tmp_path.rglob("*"))
        more = ["--layout", "single", "--run", str(tmp_path / "run")] if command == "train" else []
        monkeypatch.setattr(sys, "argv", ["mpmm", command, str(config), *more])
        with pytest.raises(SystemExit) as ended:
            commands.main()
        assert ended.value.code == 1
        error, hint = capsys.readouterr().err.splitlines()
        assert error.startswith("error: ")
        assert hint.startswith("hint: ")
        return error + hint, set(tmp_path.rglob("*")) - before

    return run


@pytest.mark.parametrize("command", ["check", "train", "baselines"])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"patches": "size = 24"}, "patch size 24: a patch needs a middle pixel"),
        ({"patches": "size = 141"}, "larger than the scene of 140 x 240 pixels"),
        ({"patches": "shares = [0.7, 0.1, 0.1]"}, "shares 0.7, 0.1, 0.1 add up to 0.9"),
        ({"classes": '30 = "moon"'}, "class 30 (moon) has no pixel"),
        ({"modality": "bands = [1, 2, 4]"}, "band"),
        ({"modality": "scale = inf"}, "scale inf"),
    ],
)
def test_patches_that_cannot_be_were_refused_after_aligning(refused, command, changes, said):
    """A configuration asks for an even patch, shares that do not add up, or a class without a pixel.
    That was refused, but only after the whole scene had been aligned and written.
    Right: refused by every command alike, before anything is written.
    """
    text = OWN.format(**{"classes": "", "modality": "", "patches": "", **changes})
    text = text.replace("size = 25\nsize", "size")
    message, written = refused(command, text)
    assert said in message
    assert not written


def test_a_class_without_a_usable_pixel_is_named(refused):
    """Where data is missing is known only when the scene is aligned; its cache is what stays."""
    text = OWN.format(classes="", modality="", patches="").replace("size = 25", "size = 135")
    message, written = refused("check", text)
    assert "class 2 (stressed grass) has no usable pixel: 1073 are labelled" in message
    assert all(".mpmm_cache" in str(path) for path in written)
