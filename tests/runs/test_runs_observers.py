"""TensorBoard's files and Prometheus's endpoint hold the log's own figures; each is off by default."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest
from mpi_runner import run_ranks
from prometheus_client.parser import text_string_to_metric_families
from small_runs import small_config

from mpmm.errors import ConfigError, RunError
from mpmm.results import read_log
from mpmm.runs import Run, fit, go_on, observers, recorder
from mpmm.settings import load_config

NOT_FIGURES = {"kind", "epoch", "step", "best"}


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    return small_config(tmp_path_factory.mktemp("scene"))


@pytest.fixture
def port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return tried.getsockname()[1]


def trained(config: Path, run: Path, steps: int | None = None, **training: object) -> Run:
    settings = replace(load_config(config).training, **training)
    return fit(config, run=run, steps=steps, training=settings, progress=False)


def logged(run: Path) -> dict[str, list[tuple[int, float]]]:
    """Figures of the log by the tags of the curves: (step, value) in order."""
    curves: dict[str, list[tuple[int, float]]] = {}
    for entry in read_log(run):
        for name, value in entry.items():
            if name not in NOT_FIGURES and value is not None:
                curves.setdefault(f"{entry['kind']}/{name}", []).append((entry["step"], value))
    return curves


def drawn(run: Path) -> dict[str, list[tuple[int, float]]]:
    """The curves as TensorBoard itself reads them."""
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulators.EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]
    }


def scraped(port: int) -> dict[str, float]:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {sample.name: sample.value for family in families for sample in family.samples}


def assert_alike(curves, expected) -> None:
    assert set(curves) == set(expected)
    for tag, points in expected.items():
        assert [step for step, _ in curves[tag]] == [step for step, _ in points], tag
        # event files hold 32 bits
        assert [value for _, value in curves[tag]] == pytest.approx([value for _, value in points], rel=1e-6)


def test_the_curves_of_a_resumed_run_are_those_of_its_log(config, tmp_path):
    run = trained(config, tmp_path / "run", steps=7, tensorboard=True).folder
    assert_alike(drawn(run), logged(run))
    go_on(run, epochs=2)
    assert len(logged(run)["step/loss"]) == 20
    assert len(logged(run)["epoch/validation_accuracy"]) == 2
    assert_alike(drawn(run), logged(run))


def test_steps_after_the_checkpoint_are_forgotten_as_in_the_log(config, tmp_path, monkeypatch):
    killed_after = 6

    class Killed(BaseException):
        """Ends the run within an epoch, after figures that no checkpoint has."""

    def record_step(self, event, keep=recorder.Recorder._record_step):
        keep(self, event)
        if event.step == killed_after:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(recorder.Recorder, "_record_step", record_step)
        with pytest.raises(Killed):
            trained(config, tmp_path / "run", tensorboard=True)
    assert [step for step, _ in drawn(tmp_path / "run")["step/loss"]] == [1, 2, 3, 4, 5, 6]
    go_on(tmp_path / "run", steps=8)
    assert_alike(drawn(tmp_path / "run"), logged(tmp_path / "run"))


def test_a_scrape_shows_the_figures_of_the_moment(config, tmp_path, monkeypatch, port):
    scrapes = []

    def record(self, event, keep=recorder.Recorder.record):
        keep(self, event)
        scrapes.append(scraped(port))

    monkeypatch.setattr(recorder.Recorder, "record", record)
    run = trained(config, tmp_path / "run", steps=11, prometheus=port).folder
    steps = [entry for entry in read_log(run) if entry["kind"] == "step"]
    (epoch,) = [entry for entry in read_log(run) if entry["kind"] == "epoch"]
    seen = {int(scrape["mpmm_step"]): scrape for scrape in scrapes}
    assert list(seen) == list(range(1, 12))
    for entry in steps:
        scrape = seen[entry["step"]]
        for name in ("loss", "accuracy", "epoch"):
            assert scrape[f"mpmm_{name}"] == entry[name]
        assert scrape["mpmm_step_seconds"] == entry["seconds"]
    assert seen[11]["mpmm_patches_total"] == sum(entry["patches"] for entry in steps)
    for name in ("train_loss", "validation_loss", "validation_accuracy", "validation_kappa"):
        assert seen[11][f"mpmm_{name}"] == epoch[name]
    assert "mpmm_train_loss" not in seen[9]
    with socket.socket() as free:
        # nobody listens any more
        assert free.connect_ex(("127.0.0.1", port)) != 0


def test_a_taken_port_is_refused_before_anything_is_written(config, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(RunError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            trained(config, tmp_path / "run", prometheus=port)
    assert not (tmp_path / "run").exists()


@pytest.mark.mpi
def test_a_taken_port_is_told_once_among_ranks(config, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        served = tmp_path / "served.toml"
        served.write_text(config.read_text().replace("epochs = 2", f"epochs = 2\nprometheus = {port}"))
        ended = run_ranks(3, ["-m", "mpmm", "train", str(served), "--run", str(tmp_path / "run")], 120)
    assert ended.code == 1
    assert (ended.out + ended.err).count(f"cannot listen on 127.0.0.1:{port}") == 1
    assert "Traceback" not in ended.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("key", "value"), [("tensorboard", True), ("prometheus", 9464)])
def test_a_missing_library_is_named(config, tmp_path, monkeypatch, key, value):
    monkeypatch.setattr(observers, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=rf"\[training\] {key} needs the library"):
        trained(config, tmp_path / "run", **{key: value})
    assert not (tmp_path / "run").exists()
    assert trained(config, tmp_path / "run", steps=1).summary_["finished"]


def test_neither_is_there_by_default(config, tmp_path, monkeypatch):
    monkeypatch.setattr(observers, "EventFiles", None)
    monkeypatch.setattr(observers, "Endpoint", None)
    assert not (trained(config, tmp_path / "run", steps=1).folder / "tensorboard").exists()
