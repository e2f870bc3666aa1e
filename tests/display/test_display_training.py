"""What a run shows: lines outside a terminal, a bar inside."""

import io
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from mpmm.display import training
from mpmm.display.training import Bar, Lines, Throughput, display, epoch_line
from mpmm.ranks.events import EpochDone, StepDone, Validation, ValidationStep


def shown(*events, terminal: bool, monkeypatch) -> str:
    text = io.StringIO()
    monkeypatch.setattr(training, "SECONDS_BETWEEN_LINES", 0.0)
    console = Console(file=text, force_terminal=terminal, width=100, color_system=None)
    with display(console, 0, 20, 2) as screen:
        assert isinstance(screen, Bar if terminal else Lines)
        for event in events:
            screen.show(event, 0.5, 0.75, 431.4)
    return text.getvalue()


EVENTS = (
    StepDone(step=10, loss=0.5, correct=30, patches=40, seconds=0.1),
    ValidationStep(40, 80),
    EpochDone(0, 10, 0.5, 0.75, Validation(0.25, np.array([[3, 1], [0, 4]])), improved=True),
)
EPOCH = (
    "epoch 1/2  step 10  loss 0.5000  accuracy 75.0%  431 patches/s  "
    "| validation loss 0.2500  accuracy 87.5%  best"
)


def test_lines_outside_a_terminal(monkeypatch):
    """Steps after the first tell the time left: the first compiles or warms up."""
    last = StepDone(step=20, loss=0.5, correct=30, patches=40, seconds=0.1)
    first, epoch, step = shown(*EVENTS, last, terminal=False, monkeypatch=monkeypatch).splitlines()
    assert first == "step 10/20  loss 0.5000  accuracy 75.0%  431 patches/s"
    assert epoch == EPOCH
    assert step == "step 20/20  loss 0.5000  accuracy 75.0%  431 patches/s  0:00:00 left"


def test_bar_in_a_terminal(monkeypatch):
    text = shown(*EVENTS, terminal=True, monkeypatch=monkeypatch)
    assert EPOCH in " ".join(text.split("\n"))
    assert "10/20" in text
    assert "left" in text


def test_a_bar_is_drawn_once_in_a_while_by_no_thread_of_its_own(monkeypatch):
    """On a host with a share of a core each drawing is time that the rank does not compute."""
    times = iter([0.0, 0.4, 1.0, 1.0, 1.5])
    monkeypatch.setattr(training, "time", SimpleNamespace(monotonic=lambda: next(times)))
    console = Console(file=io.StringIO(), force_terminal=True)
    threads, drawn = threading.active_count(), []
    with Bar(console, 0, 20, 2) as bar:
        monkeypatch.setattr(bar._progress, "refresh", lambda: drawn.append(bar._progress.tasks[0].completed))
        for step in (1, 2, 3):
            bar.show(StepDone(step, 0.5, 30, 40, seconds=0.1), 0.5, 0.75, 431.4)
        assert threading.active_count() == threads
        assert drawn == [2]
        monkeypatch.undo()


def test_an_epoch_without_validation_says_nothing_of_it(monkeypatch):
    event = EpochDone(0, 10, 0.5, 0.75, None, improved=True)
    assert "validation" not in shown(event, terminal=False, monkeypatch=monkeypatch)


def test_an_epoch_with_another_learning_rate_says_so():
    line = epoch_line(EVENTS[2], 2, 431.4, 0.0005)
    assert line.split("  | ") == [f"{EPOCH.split('  | ')[0]}  rate 0.0005", EPOCH.split("  | ")[1]]


def test_throughput_leaves_the_first_step_out():
    rate = Throughput()
    rate.add(StepDone(1, 0.5, 30, 40, seconds=30.0))
    assert (rate.first, rate.patches_per_second) == (30.0, None)
    rate.add(StepDone(2, 0.5, 30, 40, seconds=0.1))
    rate.add(StepDone(3, 0.5, 30, 20, seconds=0.1))
    assert rate.patches_per_second == pytest.approx(300)
