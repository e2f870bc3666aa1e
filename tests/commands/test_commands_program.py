"""The program itself: help, version, exit codes, the same under both names."""

import gc
import importlib
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

import mpmm
from mpmm import commands
from mpmm.errors import SceneError

PROGRAMS = [[str(Path(sys.executable).with_name("mpmm"))], [sys.executable, "-m", "mpmm"]]


def run(program: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*program, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("program", PROGRAMS, ids=["mpmm", "python -m mpmm"])
def test_help_names_every_command(program):
    done = run(program, "--help")
    assert done.returncode == 0
    for name in commands.COMMANDS:
        assert f"  {name} " in done.stdout


@pytest.mark.parametrize("program", PROGRAMS, ids=["mpmm", "python -m mpmm"])
def test_version(program):
    assert mpmm.__version__ in run(program, "--version").stdout


def test_help_of_every_command_says_what_it_is_for():
    for name in commands.COMMANDS:
        command = commands.program.get_command(click.Context(commands.program), name)
        assert command is not None
        assert command.help, f"{name} has no help text"
        for parameter in command.params:
            assert isinstance(parameter, click.Argument) or parameter.help, f"{name} {parameter.name}"


def test_the_search_for_garbage_neither_halts_a_commands_imports_nor_looks_at_them_later(monkeypatch):
    searched = []

    def load(name):
        searched.append(gc.isenabled())
        return importlib.import_module(name)

    monkeypatch.setattr(commands, "importlib", SimpleNamespace(import_module=load))
    gc.unfreeze()
    try:
        commands.program.get_command(click.Context(commands.program), "synth")
        assert searched == [False]
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_wrong_usage_is_2():
    done = run(PROGRAMS[1], "synth")
    assert done.returncode == 2
    assert "Usage:" in done.stderr


def test_unknown_command_is_2_and_named():
    done = run(PROGRAMS[1], "trian")
    assert done.returncode == 2
    assert "trian" in done.stderr


def test_bad_input_is_1_with_reason_and_hint():
    done = run(PROGRAMS[1], "check", "no-such.toml")
    assert done.returncode == 1
    assert done.stdout == ""
    first, second = done.stderr.strip().splitlines()
    assert first.startswith("error: ")
    assert "no-such.toml" in first
    assert second.startswith("hint: ")


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (SceneError("it broke", "mend it"), 1, "error: it broke\nhint: mend it\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (click.UsageError("not so"), 2, "Error: not so\n"),
    ],
)
def test_exit_codes(monkeypatch, capsys, raised, code, said):
    def fail(**_: object) -> None:
        raise raised

    monkeypatch.setattr(commands.program, "main", fail)
    with pytest.raises(SystemExit) as ended:
        commands.main()
    assert ended.value.code == code
    assert capsys.readouterr().err == said
