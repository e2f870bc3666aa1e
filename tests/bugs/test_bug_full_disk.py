"""Disks that are full or may not be written: one line, and what was written before is whole."""

import contextlib
import resource
import shutil

import pytest
from bug_scenes import plain
from click.testing import CliRunner, Result

from mpmm.commands import check, compile, evaluate, plan, synth, train
from mpmm.commands import map as map_command
from mpmm.errors import MpmmError, RunError
from mpmm.results import MetricsLog, RunFolder, read_log, write_whole
from mpmm.runs import Run, fit


@contextlib.contextmanager
def files_of_at_most(limit: int):
    """Within, no file of this process grows beyond so many bytes; Python turns the signal into an error."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def small_files():
    with files_of_at_most(4096):
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("full")
    return fit(plain(folder / "scene"), run=folder / "run", epochs=1, progress=False)


def limited(limit: int, command, *arguments: object) -> Result:
    """Run a command on a disk on which files grow no larger."""
    with files_of_at_most(limit):
        return CliRunner().invoke(command.command, [str(argument) for argument in arguments])


def one_line(done: Result) -> str:
    """The line of a refusal, or of an error of the system that names its file."""
    error = done.exception
    if isinstance(error, MpmmError):
        assert "\n" not in error.problem
        assert error.hint
        return error.problem
    assert isinstance(error, OSError), (done.output, error)
    assert error.filename, error
    return str(error.filename)


def test_file_that_does_not_fit_leaves_the_old(tmp_path, small_files):
    write_whole(tmp_path / "a", b"old")
    with pytest.raises(RunError, match="no space left"):
        write_whole(tmp_path / "a", bytes(5000))
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_what_is_left_of_a_killed_process_was_written_through(tmp_path):
    """A file under way is a link to another, by chance or by malice.
    Writing went on to the link's target.
    Right: the link is replaced, its target is as it was.
    """
    (tmp_path / "precious").write_bytes(b"data")
    (tmp_path / "a.partial").symlink_to("precious")
    write_whole(tmp_path / "a", b"new")
    assert (tmp_path / "precious").read_bytes() == b"data"
    assert (tmp_path / "a").read_bytes() == b"new"
    assert not (tmp_path / "a").is_symlink()


def test_log_on_a_full_disk_keeps_its_lines(tmp_path, small_files):
    """The disk fills up while the log is written.
    The error of its closing covered the one that named the file.
    Right: the log is named, and its whole lines are kept.
    """
    with pytest.raises(RunError, match=r"metrics.jsonl: no space left"):
        _log_steps(tmp_path, 1000)
    steps = [entry["step"] for entry in read_log(tmp_path)]
    assert steps == list(range(len(steps)))
    assert len(steps) > 50


def _log_steps(folder, count):
    with MetricsLog(folder) as log:
        for step in range(count):
            log.step({"step": step})
            log.flush()


@pytest.mark.parametrize("limit", [100, 2000, 6000])
def test_training_on_a_full_disk(run, tmp_path, limit):
    """The disk is full when a run goes on, or fills up at any of its files.
    Right: one line that names a file; the last checkpoint is whole, and the run goes on from it.
    """
    shutil.copytree(run.folder, tmp_path / "run")
    folder = RunFolder.open(tmp_path / "run")
    before = folder.read_checkpoint("last").state["counters"]
    done = limited(limit, train, "--resume", folder.path, "--epochs", 3)
    assert str(tmp_path / "run") in one_line(done)
    assert folder.read_checkpoint("last").state["counters"] == before
    assert folder.read_checkpoint("best")


@pytest.mark.parametrize("limit", [10, 1000, 2400])
def test_map_on_a_full_disk(run, tmp_path, limit):
    """The disk fills up while a map is computed, or while its file is written.
    Right: one line; a map that was there is whole, and the same command goes on when there is room.
    """
    output = tmp_path / "map.tif"
    output.write_bytes(b"an earlier map")
    assert "map.tif" in one_line(limited(limit, map_command, run.folder, "-o", output))
    assert output.read_bytes() == b"an earlier map"
    done = CliRunner().invoke(map_command.command, [str(run.folder), "-o", str(output)])
    assert done.exit_code == 0, done.exception


def test_scores_that_cannot_be_kept_are_shown(run, tmp_path):
    """A run is scored whose folder may not be written, a colleague's.
    The scores were computed, and then lost: nothing was printed.
    Right: they are shown, and one line says that they could not be kept.
    """
    shutil.copytree(run.folder, tmp_path / "run")
    (tmp_path / "run" / "evaluation").write_text("a file where the folder belongs")
    done = CliRunner().invoke(evaluate.command, [str(tmp_path / "run")])
    assert "overall accuracy" in done.output.lower()
    assert isinstance(done.exception, RunError)
    assert "evaluation" in str(done.exception)


@pytest.mark.parametrize(
    ("command", "arguments", "name"),
    [
        (check, ["scene.toml"], "cache"),
        (check, ["scene.toml", "--picture", "p.png"], "p.png"),
        (plan, ["scene.toml", "-n", "1", "--timeline", "t.json"], "t.json"),
        (train, ["scene.toml", "--run", "new"], "new"),
        (synth, ["town", "--size", "tiny"], "town"),
        (compile, ["scene.toml", "--to", "kernels"], "kernels"),
    ],
    ids=["check", "picture", "plan", "train", "synth", "compile"],
)
def test_any_output_on_a_full_disk_is_one_line(run, tmp_path, monkeypatch, command, arguments, name):
    plain(tmp_path)
    monkeypatch.chdir(tmp_path)
    if name != "cache":
        # what is in the cache already is not written again
        assert CliRunner().invoke(check.command, ["scene.toml"]).exit_code == 0
    if command is compile:
        # nor are kernels, which processes compile whose files are as small as this one's
        assert CliRunner().invoke(command.command, ["scene.toml"]).exit_code == 0
    before = (tmp_path / "hsi.tif").read_bytes()
    assert name in one_line(limited(100, command, *arguments))
    assert (tmp_path / "hsi.tif").read_bytes() == before
