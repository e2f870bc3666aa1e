"""`mpmm compare`: which experiments it runs, where, and what it says."""

import pytest
from click.testing import CliRunner

import mpmm.comparison
from mpmm.commands.compare import command
from mpmm.errors import ConfigError


def compared(monkeypatch, *arguments: object):
    """The study and the names that the command hands over, and what it prints."""
    given = []
    monkeypatch.setattr(
        mpmm.comparison, "compare", lambda study, names: given.append((study, names)) or [study.folder / "x"]
    )
    done = CliRunner().invoke(command, [str(each) for each in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    ((study, names),) = given
    return study, names, done.output


def test_all_experiments_in_their_order_by_default(tmp_path, config, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study, names, _ = compared(monkeypatch, config)
    assert names == ["fusion", "rivals", "splits", "layouts", "inference", "batches"]
    assert str(study.folder) == f"runs/compare-{config.parent.name}"
    assert not study.quick
    assert len(study.seeds) == 3


def test_only_some_of_them_into_a_folder(tmp_path, config, monkeypatch):
    study, names, said = compared(
        monkeypatch, config, "--only", "splits", "--only", "fusion", "--quick", "--out", tmp_path / "out"
    )
    assert names == ["fusion", "splits"]
    assert (study.folder, study.quick, len(study.seeds)) == (tmp_path / "out", True, 1)
    assert f"mpmm report {tmp_path / 'out'}" in said


def test_a_configuration_that_is_missing_is_refused(tmp_path):
    with pytest.raises(ConfigError):
        CliRunner().invoke(command, [str(tmp_path / "no.toml")], catch_exceptions=False)


def test_the_cluster_is_handed_on(tmp_path, config, monkeypatch):
    script = tmp_path / "virtual-cluster"
    script.touch()
    study, _, _ = compared(monkeypatch, config, "--cluster", script)
    assert study.cluster == script
