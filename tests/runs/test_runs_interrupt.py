"""Signals ask a process that is alone to end its run before they kill it."""

import os
import signal
import threading

import pytest

from mpmm.runs.interrupt import Interrupt


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
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


def test_a_request_of_the_wrapper_counts_once_and_ctrl_c_behind_it_stops():
    """`launch/mpmm-run` repeats SIGUSR1; its ranks of a single process were killed by the first."""
    before, interrupt = signal.getsignal(signal.SIGUSR1), Interrupt()
    try:
        with interrupt.installed():
            os.kill(os.getpid(), signal.SIGUSR1)
            os.kill(os.getpid(), signal.SIGUSR1)
            assert interrupt.finishing == "SIGUSR1"
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)


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
