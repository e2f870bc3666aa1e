"""`mpmm report`: where it writes, what it prints, and what it refuses."""

import shutil

import pytest
from click.testing import CliRunner
from report_runs import begun_run

from mpmm.commands.report import command
from mpmm.errors import RunError


def reported(*arguments: object) -> str:
    done = CliRunner().invoke(command, [str(each) for each in arguments], catch_exceptions=False)
    return done.output


def test_writes_into_the_run_folder_and_names_the_page(tmp_path, config):
    run = tmp_path / "run"
    begun_run(run, config, epochs=1)
    assert reported(run).splitlines()[-1].split() == ["report", str(run / "report.html")]
    assert "<title>run" in (run / "report.html").read_text(encoding="utf-8")


def test_the_scenes_rasters_need_not_be_at_hand(tmp_path, config):
    moved = tmp_path / "scene"
    shutil.copytree(config.parent, moved)
    text = config.read_text().replace(str(config.parent), str(moved))
    (moved / "mpmm.toml").write_text(text)
    begun_run(tmp_path / "run", moved / "mpmm.toml", epochs=1)
    shutil.rmtree(moved)
    reported(tmp_path / "run", "-o", tmp_path / "page.html")
    assert "The scene&#39;s rasters are not shown" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_refuses_what_is_no_run_and_a_folder_that_is_missing(tmp_path, config):
    with pytest.raises(RunError, match="no such folder"):
        reported(tmp_path / "none")
    begun_run(tmp_path / "run", config)
    with pytest.raises(RunError, match="does not exist"):
        reported(tmp_path / "run", "-o", tmp_path / "no" / "page.html")
