"""What a command finds around it: no home, a full disk behind its output, numbers that are none."""

import math
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from bug_scenes import UTM, checked, environment, plain, problem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpmm.commands import COMMANDS, program
from mpmm.commands.numbers import FiniteFloat
from mpmm.errors import SceneError
from mpmm.scene import Modality, grid_over

WITHOUT_HOME = """
import os, pwd, sys
del os.environ["HOME"]

def no_entry(user):
    raise KeyError(user)

pwd.getpwuid = no_entry
from mpmm_kernels.runtime import cache
print(cache.cache_folder.__wrapped__())
"""


def test_no_home_and_no_entry_in_passwd(tmp_path):
    """A container runs with any user id: there is no HOME, and no entry in passwd.
    The kernels' cache asked for the home, and the command ended in a RuntimeError.
    Right: the cache falls back on the temporary folder, as where the home cannot be written.
    """
    left_out = ("XDG_CACHE_HOME", "MPMM_KERNEL_CACHE", "NUMBA_CACHE_DIR")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_HOME],
        env={k: v for k, v in environment(TMPDIR=str(tmp_path)).items() if k not in left_out},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)


def test_scene_in_the_home_of_a_user_without_one(tmp_path, monkeypatch):
    """A configuration names a folder as "~/scene", and the container's user has no home.
    That ended in a RuntimeError, "Could not determine home directory".
    Right: one line that names the key's value, and how to write it.
    """
    config = plain(tmp_path)
    config.write_text(
        config.read_text().replace("[scene]\n", '[scene]\nfolder = "~nobody-of-this-name/scene"\n', 1)
    )
    assert "no home" in problem(checked(config))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_on_a_full_disk(tmp_path):
    """What a command prints is sent to a file on a disk that is full.
    A traceback told of an OSError in rich, and Python's end added another.
    Right: one line and a hint, exit code 1.
    """
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mpmm", "check", str(plain(tmp_path))],
            stdout=full,
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "error: the output: No space left on device"
    assert len(done.stderr.splitlines()) == 2


def test_output_into_a_pipe_that_was_closed(tmp_path):
    """`mpmm check scene.toml | head -1`: the reader has seen enough and closes the pipe.
    A traceback of a BrokenPipeError covered what head had shown.
    Right: the command ends quietly.
    """
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "mpmm", "check", str(plain(tmp_path))],
        stdout=writer,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("ground")
    plain(made)
    return made


NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


def test_extent_with_an_infinite_corner(folder):
    """`mpmm map --extent 500000 4999952 inf 5000000`.
    The command ended in an OverflowError.
    Right: one line that shows the numbers.
    """
    with pytest.raises(SceneError, match="inf"):
        grid_over(folder, Modality("hsi", ("hsi.tif",)), 1.0, (500000, 4999952, math.inf, 5000000))


@given(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), NUMBERS)
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_extent_gives_a_grid_or_a_line(folder, extent, pixel_size):
    try:
        grid = grid_over(folder, Modality("hsi", ("hsi.tif",), crs=UTM), pixel_size, extent)
    except SceneError:
        return
    west, south, east, north = extent
    assert 0 < grid.width < 2**31
    assert 0 < grid.height < 2**31
    assert grid.width * pixel_size >= (east - west) * (1 - 1e-5)
    assert grid.height * pixel_size >= (north - south) * (1 - 1e-5)


@pytest.mark.parametrize("text", ["inf", "-inf", "nan", "1e999", "0", "-1", "one"])
def test_number_options_are_finite_or_refused(text):
    with pytest.raises(click.BadParameter):
        FiniteFloat(min=0, min_open=True).convert(text, None, None)
    assert FiniteFloat(min=0, min_open=True).convert("0.5", None, None) == 0.5


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_takes_a_number_that_is_none(name):
    """`mpmm watch --every nan` and `mpmm map --memory 1e300` ended in a ValueError and an OverflowError."""
    command = program.get_command(click.Context(program), name)
    numbers = [option.type for option in command.params if option.type.name.startswith("float")]
    for kind in numbers:
        for text in ("nan", "inf", "-inf", "1e999"):
            with pytest.raises(click.BadParameter):
                kind.convert(text, None, None)
    bounded = [option for option in command.params if option.name in ("memory", "every")]
    for option in bounded:
        with pytest.raises(click.BadParameter):
            option.type.convert("1e300", None, None)


def test_a_folder_that_may_not_be_written_is_one_line(tmp_path):
    """Every output goes through one of a few doors; the scene's cache is the first that a new user meets."""
    config = plain(tmp_path)
    (tmp_path / ".mpmm_cache").write_text("a file where the cache's folder belongs")
    assert "cache folder" in problem(checked(config))
