"""`mpmm synth`: what it writes, what it says, what it refuses."""

import sys

import pytest
from click.testing import CliRunner

from mpmm import commands
from mpmm.commands import synth
from mpmm.errors import SceneError
from mpmm.synthetic import scene as synthetic
from mpmm.synthetic.city import EXTENTS, Extent
from mpmm.synthetic.plan import METRE


@pytest.fixture(autouse=True)
def patch_size(monkeypatch):
    """A size "tiny" of 10 m x 20 m."""
    monkeypatch.setitem(EXTENTS, "tiny", Extent(10, 20, (5 * METRE, 6 * METRE), (10, 10 * METRE)))


def run(*arguments):
    return CliRunner().invoke(synth.command, [str(one) for one in arguments])


def test_writes_a_scene_and_says_what_to_do_next(tmp_path):
    done = run(tmp_path / "scene", "--size", "tiny", "--seed", 3)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "scene" / "mpmm.toml").is_file()
    lines = done.output.splitlines()
    assert lines[0] == "planning the town"
    assert "writing the scene" in lines
    assert "(tiny, seed 3)" in lines[-2]
    assert lines[-1] == f"next: mpmm check {tmp_path / 'scene' / 'mpmm.toml'}"


def test_small_and_seed_0_are_the_defaults(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(synth, "write_synthetic", lambda *given, force: asked.append((*given[:3], force)))
    assert run(tmp_path).exit_code == 0
    assert asked == [(tmp_path, "small", 0, False)]


@pytest.mark.parametrize("wrong", [["--size", "huge"], ["--seed", "-1"], ["--seed", "x"]])
def test_wrong_usage_is_2(tmp_path, wrong):
    assert run(tmp_path, *wrong).exit_code == 2


def test_a_second_time_only_by_force(tmp_path):
    assert run(tmp_path, "--size", "tiny").exit_code == 0
    refused = run(tmp_path, "--size", "tiny")
    assert isinstance(refused.exception, SceneError)
    assert run(tmp_path, "--size", "tiny", "--force").exit_code == 0


def test_refusal_is_exit_1_with_a_line_and_a_hint(tmp_path, monkeypatch, capsys):
    (tmp_path / "photo.jpg").touch()
    monkeypatch.setattr(sys, "argv", ["mpmm", "synth", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        commands.main()
    assert ended.value.code == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"error: {tmp_path} is not empty")
    assert second.startswith("hint: ")


def test_interrupted_is_130_and_leaves_no_configuration(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(synthetic, "_write_rasters", interrupt)
    monkeypatch.setattr(sys, "argv", ["mpmm", "synth", str(tmp_path), "--size", "tiny"])
    with pytest.raises(SystemExit) as ended:
        commands.main()
    assert ended.value.code == 130
    assert not (tmp_path / "mpmm.toml").exists()
