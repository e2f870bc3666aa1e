"""Trainings that take turns: all are started, all but one are suspended, so a slow minute is everybody's.

On a shared machine a core's speed changes from one second to the next by more than two layouts differ, and
runs one after the other compare their minutes. Turns of seconds, many rounds of them, compare the trainings:
what counts is the ratio of two turns of one round.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from statistics import mean, median

import psutil
from mpi_runner import ROOT, environment
from placement_places import VIRTUAL_CLUSTER
from virtual_cluster.cluster import load
from virtual_cluster.network import processes

MPMM_RUN = ROOT / "launch" / "mpmm-run"
# of a training's steps, those that load, compile or fill what flows between ranks
SKIPPED = 3
# what a step may take, in medians of its turn, before something else of the machine is in it
OUTLIER = 2.5
# seconds that a training may take to its first steps, and a turn to its first whole step
START, STALL = 600, 120


class TurnFailed(Exception):
    """A training ended, or makes no steps; holds what it said."""


class Training:
    """A job that makes steps for as long as it is let, in virtual hosts of its own or on this machine.

    Parameters
    ----------
    place
        Its hosts: the first of the place's, one a rank; of a place without hosts this machine.
    ranks
        How many.
    command
        Of mpmm, or a program of Python and its arguments.
    log
        The file to which it writes a JSON line with "seconds" after each step, whole lines at once.
    variables
        Of its environment, besides what all have.
    """

    def __init__(self, place, ranks, command, log, variables=None):
        self.place, self.ranks, self.command, self.log = place, ranks, command, log
        self._name = f"turn{os.getpid()}-{id(self):x}"
        self._variables = {
            "MPMM_BIN": str(Path(sys.executable).parent),
            "NUMBA_NUM_THREADS": str(os.cpu_count()),
            **(variables or {}),
        }

    @contextmanager
    def started(self):
        """Its hosts and ranks are there, in the block."""
        with ExitStack() as stack:
            if self.place.virtual:
                stack.enter_context(self.place.up(self._name, self.ranks))
                words = [sys.executable, str(VIRTUAL_CLUSTER), "--name", self._name, "run", "--keep"]
            else:
                words = [str(MPMM_RUN)]
            rest = self.command if self.command[0] == "mpmm" else [sys.executable, *self.command]
            if not self.place.virtual:
                rest = rest[1:] if rest[0] == "mpmm" else ["--", *rest]
            self._said = stack.enter_context(tempfile.TemporaryFile())
            self._job = subprocess.Popen(
                [*words, "-np", str(self.ranks), *rest],
                env=environment(**self._variables),
                stdout=self._said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            stack.callback(self._end)
            yield self

    def finish(self):
        """Run to the end: of a job that ends by itself."""
        with self.started():
            try:
                self._job.wait(START)
            except subprocess.TimeoutExpired:
                raise TurnFailed(f"not done within {START} s") from None
            if self._job.returncode:
                self._check()

    def begun(self):
        """Whether it has made the steps that do not count."""
        self._check()
        return self._lines() >= SKIPPED

    def resume(self):
        """Let all its processes go on."""
        self._signal(signal.SIGCONT)

    def suspend(self):
        """Stop all its processes where they are."""
        self._signal(signal.SIGSTOP)

    def turn(self, seconds):
        """Go on for so many seconds, or until a whole step is made; mean seconds of its whole steps."""
        before = self._lines()
        self.resume()
        try:
            time.sleep(seconds)
            began = time.monotonic()
            # the first was begun in the turn before
            while self._lines() < before + 2:
                self._check()
                if time.monotonic() > began + STALL:
                    raise TurnFailed(f"no step in {STALL} s")
                time.sleep(0.02)
        finally:
            self.suspend()
        whole = self._seconds()[before + 1 :]
        return mean(each for each in whole if each < OUTLIER * median(whole))

    def _lines(self):
        return len(self._seconds())

    def _seconds(self):
        """Of each step that is in the log."""
        if not self.log.exists():
            return []
        lines = self.log.read_text().splitlines(keepends=True)
        entries = [json.loads(line) for line in lines if line.endswith("\n")]
        return [entry["seconds"] for entry in entries if entry["kind"] == "step"]

    def _check(self):
        if self._job.poll() is not None:
            self._said.seek(0)
            raise TurnFailed(self._said.read().decode(errors="replace")[-1000:])

    def _signal(self, number):
        for process in self._processes():
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def _processes(self):
        if self.place.virtual:
            return [process for host in load(self._name).hosts for process in processes(host.namespace)]
        with suppress(psutil.NoSuchProcess):
            return [process.pid for process in psutil.Process(self._job.pid).children(recursive=True)]
        return []

    def _end(self):
        """Kill what runs: nobody reads its results."""
        for process in [*self._processes(), self._job.pid]:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._job.wait()


@contextmanager
def started(trainings):
    """All of the trainings are at their steps, and suspended, in the block."""
    with ExitStack() as stack:
        # one after the other: those that step already would take the cores from those that start
        for training in trainings:
            stack.enter_context(training.started())
            until = time.monotonic() + START
            while not training.begun():
                if time.monotonic() > until:
                    raise TurnFailed(f"{training.command} made no steps within {START} s")
                time.sleep(0.05)
            training.suspend()
        yield
