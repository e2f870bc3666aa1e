"""Signals ask a process that is alone to end its run before they kill it."""

import os
import signal
import threading

import pytest

from mpmm.runs.interrupt import Interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_first_signal_asks_second_stops(number):
    before, interrupt = signal.getsignal(number), Interrupt()
    with interrupt.installed():
        assert not interrupt.finishing
        os.kill(os.getpid(), number)
        assert interrupt.finishing == signal.Signals(number).name
        interrupt.check()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_other_threads_change_no_handlers():
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def enter():
        with Interrupt().installed():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]
