"""`mpmm train` and `mpmm.fit`: run folders, limits, interrupts, and going on to the same bits."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from mpmm_kernels.runtime import available_threads
from small_runs import small_config

from mpmm.commands import train
from mpmm.errors import LayoutError, MpmmError, NetworkError, PatchError, RunError
from mpmm.network import BlockSpec, DenseSpec, NetworkSpec, StreamSpec, state_sha256
from mpmm.results.checkpoint import read_checkpoint
from mpmm.results.folder import RunFolder
from mpmm.results.log import read_log
from mpmm.runs import Run, fit, go_on, recorder
from mpmm.settings.config import PatchesConfig, TrainingConfig, load_config

LIMIT = 90


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    return small_config(tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory) -> Run:
    """A run that nothing interrupted: 2 epochs of 10 steps."""
    return fit(config, run=tmp_path_factory.mktemp("whole") / "run", progress=False)


def sha256(run: Run) -> str:
    return run.summary_["parameters_sha256"]


def untimed(run: Run) -> list[dict]:
    timed = {"seconds", "patches_per_second"}
    return [
        {name: value for name, value in entry.items() if name not in timed} for entry in read_log(run.folder)
    ]


@contextmanager
def signal_after(event_number: int, monkeypatch, number=signal.SIGINT, times=1):
    """This process gets a signal when so many events have been recorded."""
    record, seen = recorder.Recorder.record, []

    def counting(self, event):
        record(self, event)
        seen.append(event)
        if len(seen) == event_number:
            for _ in range(times):
                os.kill(os.getpid(), number)

    with monkeypatch.context() as patched:
        patched.setattr(recorder.Recorder, "record", counting)
        yield


def test_a_run_folder_is_self_contained(whole, config):
    names = {str(path.relative_to(whole.folder)) for path in whole.folder.rglob("*") if path.is_file()}
    assert names - {".lock"} == {
        "bands.json",
        "checkpoints/best.safetensors",
        "checkpoints/last.safetensors",
        "classes.json",
        "config.json",
        "config.toml",
        "environment.json",
        "layout.json",
        "metrics.csv",
        "metrics.jsonl",
        "monitor/rank-0.jsonl",
        "normalization.json",
        "run.json",
        "split.csv",
        "split.json",
    }
    assert (whole.folder / "config.toml").read_text() == config.read_text()
    assert len((whole.folder / "split.csv").read_text().splitlines()) == 1 + 160 + 40 + 40


def test_run_json(whole):
    found = whole.summary_
    assert (found["finished"], found["ended"], found["steps"], found["epochs"]) == (True, "2 epochs", 20, 2)
    assert found["parameters_sha256"] == state_sha256(whole.network_.state())
    assert found["validation"]["samples"] == 40
    assert (found["layout"], found["ranks"], found["dtype"]) == ("single", 1, "float32")
    assert found["threads"] >= 1
    assert found["patches_per_second"] > 0
    assert 0 < found["first_step_seconds"] < LIMIT
    assert {"mpmm", "numpy", "numba"} <= found["versions"].keys()


def test_learned_attributes(whole):
    assert [entry["epoch"] for entry in whole.history_] == [1, 2]
    assert whole.scores_.samples == 40
    assert whole.scores_.overall_accuracy.value == whole.history_[-1]["validation_accuracy"]
    assert [cover.name for cover in whole.classes_][:2] == ["healthy grass", "stressed grass"]


def test_seed_decides(whole, config, tmp_path):
    again = fit(load_config(config), run=tmp_path / "again", threads=available_threads(), progress=False)
    assert sha256(again) == sha256(whole)
    assert untimed(again) == untimed(whole)
    other = fit(config, run=tmp_path / "other", seed=1, steps=1, progress=False)
    assert sha256(other) != sha256(fit(config, run=tmp_path / "one", steps=1, progress=False))


# 10 steps, 3 validation batches and the epoch's end make 14 events
@pytest.mark.parametrize("event_number", [3, 10, 12, 14, 17])
def test_interrupted_and_resumed_ends_with_the_same_bits(whole, config, tmp_path, monkeypatch, event_number):
    with signal_after(event_number, monkeypatch):
        left = fit(config, run=tmp_path / "run", progress=False)
    assert left.summary_["finished"] is False
    assert left.summary_["ended"] == "interrupted by Ctrl-C or SIGINT"
    assert sha256(left) != sha256(whole)
    ending = go_on(left.folder, threads=available_threads())
    assert ending.interrupted is None
    assert sha256(ending.run) == sha256(whole)
    assert untimed(ending.run) == untimed(whole)
    best = [read_checkpoint(run.folder / "checkpoints" / "best.safetensors") for run in (ending.run, whole)]
    assert best[0].state["counters"] == best[1].state["counters"]
    assert state_sha256(best[0].arrays["moments"]) == state_sha256(best[1].arrays["moments"])


def test_a_limit_that_was_reached_before_is_told(config, tmp_path):
    """A run that stood at step 3 ended "at step 3 (2 steps)", as if it had been trained to there."""
    fit(config, run=tmp_path / "run", steps=3, progress=False)
    before = sha256(Run(RunFolder(tmp_path / "run"), None))
    done = CliRunner().invoke(train.command, ["--resume", str(tmp_path / "run"), "--steps", "2"])
    assert done.exit_code == 0
    assert "2 steps, reached before: there is nothing to train" in " ".join(done.output.split())
    assert before in done.output
    done = CliRunner().invoke(train.command, ["--resume", str(tmp_path / "run"), "--steps", "4"])
    assert "reached before" not in done.output


def test_sigterm_asks_too(config, tmp_path, monkeypatch):
    with signal_after(2, monkeypatch, signal.SIGTERM):
        left = fit(config, run=tmp_path / "run", progress=False)
    assert left.summary_["ended"] == "interrupted by SIGTERM"
    assert left.summary_["steps"] == 2


def test_a_second_signal_stops_at_once_and_keeps_the_checkpoint(whole, config, tmp_path, monkeypatch):
    with signal_after(3, monkeypatch, times=2), pytest.raises(KeyboardInterrupt):
        fit(config, run=tmp_path / "run", progress=False)
    assert (
        read_checkpoint(tmp_path / "run" / "checkpoints" / "last.safetensors").state["counters"]["step"] == 0
    )
    assert not (tmp_path / "run" / "run.json").exists()
    assert json.loads((tmp_path / "run" / "layout.json").read_text())["layout"] == "single"
    assert sha256(go_on(tmp_path / "run").run) == sha256(whole)


def test_steps_end_a_run_and_more_steps_go_on(whole, config, tmp_path):
    run = fit(config, run=tmp_path / "run", steps=7, progress=False)
    assert (run.summary_["steps"], run.summary_["ended"]) == (7, "7 steps")
    assert run.scores_.samples == 40
    assert (run.folder / "checkpoints" / "best.safetensors").is_file()
    same = go_on(run.folder).run
    assert same.summary_["steps"] == 7
    assert sha256(go_on(run.folder, steps=13).run) != sha256(whole)
    assert sha256(go_on(run.folder, epochs=2).run) == sha256(whole)


def test_more_epochs_go_on_from_a_finished_run(config, tmp_path):
    longer = fit(config, run=tmp_path / "longer", epochs=3, progress=False)
    run = fit(config, run=tmp_path / "run", progress=False)
    assert sha256(go_on(run.folder, epochs=3).run) == sha256(longer)


def test_checkpoints_come_by_the_clock_too(config, tmp_path, monkeypatch):
    monkeypatch.setattr(recorder, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    with signal_after(3, monkeypatch, times=2), pytest.raises(KeyboardInterrupt):
        fit(config, run=tmp_path / "run", progress=False)
    assert (
        read_checkpoint(tmp_path / "run" / "checkpoints" / "last.safetensors").state["counters"]["step"] == 3
    )


def test_patience_ends_a_run(config, tmp_path):
    training = replace(load_config(config).training, rate=1e-12, patience=2, epochs=30)
    run = fit(config, training=training, run=tmp_path / "run", progress=False)
    assert run.summary_["ended"] == "no better validation accuracy for 2 epochs"
    assert run.summary_["best"]["epoch"] == run.summary_["epochs"] - 2


def test_without_validation_patches(config, tmp_path):
    patches = replace(load_config(config).patches, shares=(1.0, 0.0, 0.0))
    run = fit(config, patches=patches, run=tmp_path / "run", epochs=1, progress=False)
    assert run.scores_ is None
    assert run.summary_["validation"] is None
    assert (run.folder / "checkpoints" / "best.safetensors").is_file()


def test_balance_smoothing_decay_and_drop_last_take_effect(config, tmp_path):
    settings = load_config(config).training
    changes = [{}, {"class_weights": "balanced"}, {"oversample": "balanced"}, {"label_smoothing": 0.1}]
    changes.append({"decay": 0.1})
    patches = PatchesConfig(size=9, fraction=0.01)
    found = {
        sha256(
            fit(
                config,
                patches=patches,
                training=replace(settings, **change),
                run=tmp_path / str(number),
                steps=2,
                progress=False,
            )
        )
        for number, change in enumerate(changes)
    }
    assert len(found) == len(changes)
    dropped = fit(config, training=replace(settings, batch=50, drop_last=True), run=tmp_path / "d", epochs=1)
    assert dropped.summary_["steps"] == 3


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_checkpoint(config, tmp_path):
    training = replace(load_config(config).training, rate=1e30)
    with pytest.raises(RunError, match="the loss is"):
        fit(config, training=training, run=tmp_path / "run", progress=False)
    assert (
        read_checkpoint(tmp_path / "run" / "checkpoints" / "last.safetensors").state["counters"]["step"] == 0
    )


def test_fit_takes_a_scene_and_a_network(config, tmp_path):
    scene = load_config(config).scene
    spec = NetworkSpec(
        (StreamSpec("rgb", 3, 7, (BlockSpec(2, (3, 3, 3), window=(1, 2, 2)),)),), (DenseSpec(4),), 20, seed=9
    )
    run = fit(
        scene,
        network=spec,
        patches=PatchesConfig(per_class=5),
        training=TrainingConfig(epochs=1, batch=20),
        run=tmp_path / "run",
        progress=False,
    )
    assert run.network_.spec == spec
    assert Run.open(run.folder).network_.spec == spec
    other = replace(spec, classes=3)
    with pytest.raises(NetworkError, match=r"for 3 classes.* gives 20 classes"):
        fit(scene, network=other, patches=PatchesConfig(per_class=5), run=tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_nothing_is_written_when_the_input_is_wrong(config, tmp_path):
    settings = load_config(config)
    with pytest.raises(PatchError):
        fit(replace(settings, patches=PatchesConfig(size=8)), run=tmp_path / "run")
    with pytest.raises(MpmmError):
        fit(replace(settings, network=replace(settings.network, modalities=("sonar",))), run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_existing_run_is_never_overwritten(whole, config):
    before = sorted((path, path.stat().st_mtime_ns) for path in whole.folder.rglob("*"))
    with pytest.raises(RunError, match="already holds files"):
        fit(config, run=whole.folder)
    assert sorted((path, path.stat().st_mtime_ns) for path in whole.folder.rglob("*")) == before


def test_a_run_is_one_processes_at_a_time(config, tmp_path):
    run = fit(config, run=tmp_path / "run", steps=1, progress=False)
    with (
        RunFolder(run.folder).locked(),
        pytest.raises(RunError, match=rf"another process \(process {os.getpid()} on .*\) is training"),
    ):
        go_on(run.folder, steps=2)
    assert go_on(run.folder, steps=2).run.summary_["steps"] == 2


@pytest.mark.parametrize(
    ("layout", "problem"),
    [
        ({"name": "baseline"}, "'baseline' needs several ranks"),
        ({"batch_norm": "per_shard"}, "layout.batch_norm = 'per_shard' needs several ranks"),
    ],
)
def test_layouts_of_several_ranks_are_refused(layout, problem, config, tmp_path):
    settings = load_config(config)
    with pytest.raises(LayoutError, match=problem):
        fit(replace(settings, layout=replace(settings.layout, **layout)), run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_too_many_threads_are_refused(config, tmp_path):
    with pytest.raises(MpmmError, match="4000 threads"):
        fit(config, run=tmp_path / "run", threads=4000)


def test_a_run_goes_on_where_its_rasters_have_moved(whole, config, tmp_path):
    """Moved data: CONFIG beside --resume told the new place under mpirun only.

    In one process the option was refused, and the run was lost with its rasters' old place.
    """
    shutil.copytree(config.parent, tmp_path / "before", ignore=shutil.ignore_patterns(".mpmm_cache"))
    run = fit(tmp_path / "before" / config.name, run=tmp_path / "run", steps=7, progress=False)
    (tmp_path / "before").rename(tmp_path / "after")
    with pytest.raises(MpmmError, match="before"):
        go_on(run.folder, epochs=2)
    scene = load_config(tmp_path / "after" / config.name).scene
    assert sha256(go_on(run.folder, scenes=(scene,), epochs=2).run) == sha256(whole)
    # and the run remembers it
    assert Run.open(run.folder).evaluate().samples == 40


def test_one_process_loads_no_mpi(config, tmp_path):
    code = (
        "import mpmm, sys\n"
        f"run = mpmm.fit({str(config)!r}, run={str(tmp_path / 'run')!r}, steps=2, progress=False)\n"
        "run.evaluate('test', 'last')\n"
        "print('mpi4py' in sys.modules, run.summary_['steps'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=LIMIT)
    assert done.stdout.split() == ["False", "2"], done.stderr


def test_resuming_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="no such folder"):
        go_on(tmp_path / "absent")


def test_a_resumed_scene_must_be_the_same(config, tmp_path):
    run = fit(config, run=tmp_path / "run", steps=1, progress=False)
    path = run.folder / "classes.json"
    content = json.loads(path.read_text())
    content["classes"][0]["name"] = "moon rock"
    path.write_text(json.dumps(content))
    with pytest.raises(RunError, match="its classes are not those"):
        go_on(run.folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give a CONFIG"),
        (["--resume", "runs/a", "--seed", "1"], "leave --seed out"),
        (["--resume", "runs/a", "--run", "b"], "leave --run out"),
        (["a.toml", "--steps", "0"], "0 is not in the range"),
        (["a.toml", "--layout", "ring"], "'ring' is not one of"),
    ],
)
def test_wrong_usage(arguments, message):
    result = CliRunner().invoke(train.command, arguments)
    assert result.exit_code == 2
    assert message in result.output


def mpmm(*arguments: object, cwd: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "mpmm", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
    )


def test_the_program_names_its_run_and_ends_with_the_fingerprint(whole, config, tmp_path):
    program = mpmm("train", config, cwd=tmp_path)
    out, err = program.communicate(timeout=LIMIT)
    assert (program.returncode, err) == (0, "")
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name == f"{config.parent.name}-{time.strftime('%Y-%m-%d')}-1"
    assert out.splitlines()[-1].split() == ["parameters", "sha256", sha256(whole)]
    assert "first step" in out
    assert len([line for line in out.splitlines() if line.startswith("epoch ")]) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_program_can_be_ended_and_goes_on(config, tmp_path, number):
    """A run that would last for minutes is ended in its second epoch; the same is then done in one go."""
    program = mpmm("train", config, "--epochs", 1000, "--run", "run", cwd=tmp_path)
    for line in program.stdout:
        if line.startswith("epoch 1/"):
            break
    program.send_signal(number)
    out, err = program.communicate(timeout=LIMIT)
    if number == signal.SIGINT:
        assert (program.returncode, err.strip()) == (130, "stopping after this step; once more stops at once")
        assert "mpmm train --resume run" in out
    folder = tmp_path / "run"
    reached = read_checkpoint(folder / "checkpoints" / "last.safetensors").state["counters"]["step"]
    assert reached >= 10
    program = mpmm("train", "--resume", folder, "--steps", reached + 5, cwd=tmp_path)
    out, err = program.communicate(timeout=LIMIT)
    assert (program.returncode, err) == (0, "")
    whole = fit(config, epochs=1000, steps=reached + 5, run=tmp_path / "whole", progress=False)
    assert out.splitlines()[-1].split()[-1] == sha256(whole)


def test_a_start_counts_from_when_its_process_began():
    """The system's own start was taken as of a whole second: first steps seemed up to a second later."""
    code = "from mpmm.commands.train import process_start; print(process_start())"
    before = time.time()
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as program:
        started = time.time()
        out, _ = program.communicate(timeout=LIMIT)
    tick = 0.02
    assert before - tick < float(out) < started + tick


def test_the_program_explains_bad_input_in_two_lines(tmp_path):
    program = mpmm("train", "absent.toml", cwd=tmp_path)
    out, err = program.communicate(timeout=LIMIT)
    assert (program.returncode, out) == (1, "")
    assert [line.split(":")[0] for line in err.splitlines()] == ["error", "hint"]
    assert not list(tmp_path.iterdir())
