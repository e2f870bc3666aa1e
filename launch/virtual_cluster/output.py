"""Hands on what a job says as it comes, but for what Open MPI says of its own start."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress
from io import BufferedReader

# begins what Open MPI says, before any rank runs, of a daemon that has not come up
UNSTARTED = b"A daemon failed to report back"
_RULE = b"-" * 20


class Output:
    """What a job writes to its standard output and error, handed on by threads until it ends.

    Parameters
    ----------
    job
        The process, with pipes.
    """

    def __init__(self, job: subprocess.Popen[bytes]) -> None:
        assert job.stdout is not None
        assert job.stderr is not None
        self._unstarted = b""
        self._threads = [
            threading.Thread(target=self._relay_output, args=(job.stdout,)),
            threading.Thread(target=_relay_errors, args=(job.stderr,)),
        ]
        for thread in self._threads:
            thread.start()

    def ended(self) -> bytes:
        """Wait until whoever writes is gone; what Open MPI has said if it did not start, else nothing."""
        for thread in self._threads:
            thread.join()
        return self._unstarted

    def _relay_output(self, pipe: BufferedReader) -> None:
        """Hand on all, or keep all where Open MPI's complaint is the first that comes."""
        # where nobody reads any more, the job's next words end it, as they would without us
        with pipe, suppress(BrokenPipeError):
            first = _first_words(pipe)
            if UNSTARTED in first:
                self._unstarted = first + pipe.read()
                return
            write_out(first)
            while part := pipe.read1(65536):
                write_out(part)


def write_out(part: bytes) -> None:
    """Write to standard output at once, past Python's buffer."""
    while part:
        part = part[os.write(1, part) :]


def _first_words(pipe: BufferedReader) -> bytes:
    """What comes first; of a line of dashes, which may head the complaint, the next line too."""
    first: bytes = pipe.read1(65536)
    while first.startswith(_RULE) and first.count(b"\n") < 2 and (more := pipe.read1(65536)):
        first += more
    return first


def _relay_errors(pipe: BufferedReader) -> None:
    """Hand on what is reported, but for a line that Open MPI has about throttled hosts at every start.

    It puts an agent into a process group of its own at both ends of the fork; a mpirun that is held back
    meanwhile comes second and complains of it.
    """
    with pipe, suppress(BrokenPipeError):
        for line in pipe:
            if b"plm:ssh: Warning: setpgid(" not in line:
                sys.stderr.buffer.write(line)
                sys.stderr.buffer.flush()
