"""The alarm: a rank sleeps until MPI has something to move between hosts, and need not look."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

# after a look for nothing: what comes in many packets would wake a rank for each of them
SHORTEST_REST = 400e-6
_POLL = "anon_inode:[eventpoll]"


class Alarm:
    """Sleeps until something has come over TCP, or can go.

    Open MPI has the kernel watch its sockets in an event poll. Such a poll can be waited for as a socket can:
    that takes no time of a core, and ends within microseconds of what it waits for. A look for messages with
    its sleep takes 60 us, and on a host with a share of a core looks took a tenth of what it may use.

    Parameters
    ----------
    polls
        File descriptors of event polls.
    """

    def __init__(self, polls: Sequence[int]) -> None:
        self._polls = list(polls)

    def rest(self, seconds: float, *, again: bool = False) -> None:
        """Sleep for so long, or until MPI has something to do.

        Parameters
        ----------
        seconds
            At most.
        again
            Whether something else came just before than what is waited for.
        """
        if again:
            time.sleep(SHORTEST_REST)
        select.select(self._polls, (), (), seconds)


def mpi_alarm() -> Alarm | None:
    """The alarm of this process; None where MPI's messages come by other ways than TCP."""
    with suppress(OSError):
        polls = [poll for poll in _event_polls() if _connects(_watched(poll))]
        if polls:
            return Alarm(polls)
    return None


def _event_polls(descriptors: Path = Path("/proc/self/fd")) -> Iterator[int]:
    for entry in descriptors.iterdir():
        with suppress(OSError):
            if os.readlink(entry) == _POLL:
                yield int(entry.name)


def _watched(poll: int) -> list[int]:
    """The file descriptors that an event poll watches."""
    lines = Path(f"/proc/self/fdinfo/{poll}").read_text().splitlines()
    return [int(line.split()[1]) for line in lines if line.startswith("tfd:")]


def _connects(watched: Sequence[int]) -> bool:
    """Whether peers connect to one of these sockets, as Open MPI's do, and at least one has."""
    listening = connected = False
    for descriptor in watched:
        with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as end:
            if end.family in (socket.AF_INET, socket.AF_INET6):
                listens = bool(end.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
                listening, connected = listening or listens, connected or not listens
    return listening and connected
