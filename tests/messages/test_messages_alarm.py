"""The alarm: who waits for messages is woken by what comes, and by nothing else."""

import select
import socket
import time
from contextlib import ExitStack, closing, contextmanager

import pytest

from mpmm.messages import alarm, waiting
from mpmm.messages.alarm import Alarm, mpi_alarm
from mpmm.messages.waiting import ALARM_PAUSE, Waiter, looks_during

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="event polls are Linux's")


@contextmanager
def watched(*, connected=True):
    """Two ends of a connection, of which an event poll watches one and the socket that takes connections."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        poll = stack.enter_context(select.epoll())
        poll.register(server, select.EPOLLIN)
        peer = end = None
        if connected:
            peer = stack.enter_context(socket.create_connection(server.getsockname()))
            end = stack.enter_context(closing(server.accept()[0]))
            poll.register(end, select.EPOLLIN)
        yield poll, peer, end


def test_a_wait_ends_when_something_has_come():
    """Long before the longest pause, and after as few looks as messages."""
    with watched() as (poll, peer, end):
        waiter, looks = Waiter(), []
        waiter.alarm = Alarm([poll.fileno()])
        peer.send(b"1")

        def come():
            looks.append(select.select([end], (), (), 0)[0])
            return bool(looks[-1]) and end.recv(1) == b"2"

        waiter.until(lambda: come() or (peer.send(b"2"), False)[1], "two bytes")
        assert len(looks) <= 3
        assert not waiter.waits


def test_nothing_that_comes_lets_a_wait_look_once_a_pause(monkeypatch):
    monkeypatch.setattr(waiting, "ALARM_PAUSE", 0.01)
    with watched() as (poll, *_):
        waiter, looks, began = Waiter(), [], time.perf_counter()
        waiter.alarm = Alarm([poll.fileno()])
        waiter.until(lambda: looks.append(waiter.waits) or len(looks) == 4, "the third pause")
        assert time.perf_counter() - began >= 0.03
        assert looks == [False, True, True, True]


def test_only_polls_of_connected_tcp_sockets_are_taken(monkeypatch):
    """Of MPI's own: another library's poll, or one before any peer has connected, tells nothing."""
    with watched() as (poll, peer, _), watched(connected=False) as (early, *_), select.epoll() as other:
        other.register(peer, select.EPOLLIN)
        mine = {poll.fileno(), early.fileno(), other.fileno()}
        assert mine <= set(alarm._event_polls())
        monkeypatch.setattr(alarm, "_event_polls", lambda: sorted(mine))
        assert mpi_alarm()._polls == [poll.fileno()]
        monkeypatch.setattr(alarm, "_event_polls", lambda: [early.fileno(), other.fileno()])
        assert mpi_alarm() is None


def test_looks_of_a_wait_with_an_alarm_grow_with_its_length_and_with_what_comes():
    assert looks_during(0.0, woken=True) == 1
    assert looks_during(10 * ALARM_PAUSE, woken=True) == pytest.approx(11)
    assert looks_during(0.02, woken=True) < looks_during(0.02) / 2
    # bytes that come wake a rank again and again, for as long as it waits
    assert looks_during(0.02, woken=True, coming=0.005) == pytest.approx(1 + 3 + 5 / 0.8)
    assert looks_during(0.02, woken=True, coming=1.0) == pytest.approx(1 + 20 / 0.8)
