"""How far a piece of work is: a bar in a terminal, plain lines now and then elsewhere."""

import pytest
from rich.console import Console

from mpmm.display import ticker
from mpmm.display.console import telling


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(ticker.time, "monotonic", lambda: now[0])
    return now


def plain():
    return Console(force_terminal=False, width=100, record=True)


def test_bar_in_a_terminal():
    console = Console(force_terminal=True, width=100, record=True)
    with ticker.ticking(console) as tell:
        tell("writing the scene", 0.5)
    shown = console.export_text()
    assert "writing the scene" in shown
    assert "50%" in shown


def test_lines_come_now_and_then(clock):
    console = plain()
    with ticker.ticking(console) as tell:
        for second in range(25):
            clock[0] = 100.0 + second
            tell("writing the scene", second / 25)
    assert console.export_text().splitlines() == [
        "writing the scene",
        "writing the scene: 40%",
        "writing the scene: 80%",
    ]


def test_a_prepared_modality_is_not_mentioned(clock):
    console = plain()
    with telling(console) as tell:
        tell("hsi", 1.0)
        tell("rgb", 0.0)
        tell("rgb", 1.0)
        tell("lidar", 1.0)
    (line,) = console.export_text().splitlines()
    assert line.startswith("aligning   rgb onto the label grid")
