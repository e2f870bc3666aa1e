"""A run's latest figures for Prometheus, served to this machine alone while the run goes on."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from mpmm.errors import RunError

# other machines ask through a tunnel or an agent of this one: nothing is open to the network
LOOPBACK = "127.0.0.1"
_HELP = {
    "step": "steps done",
    "epoch": "epoch under way, counted from 1",
    "loss": "mean loss of the latest step",
    "accuracy": "share of the latest step's patches that were classified rightly",
    "step_seconds": "duration of the latest step",
    "rate": "learning rate of the latest epoch's last step",
    "patches_per_second": "training patches a second, validation left out",
    "run_seconds": "duration of the run at its latest epoch's end",
}


def check_port(port: int) -> None:
    """Refuse a port that another program listens on.

    Raises
    ------
    RunError
        Naming the port, and the way out.
    """
    with socket.socket() as tried:
        # as the endpoint does: a port is free as soon as its last listener has gone
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((LOOPBACK, port))
        except OSError as error:
            raise _taken(port, error) from error


class Endpoint:
    """Serves `http://127.0.0.1:PORT/metrics` until it is left.

    Parameters
    ----------
    port
        To listen on.
    run
        Name of the run, a label of `mpmm_run_info`.

    Raises
    ------
    RunError
        The port is taken.
    """

    def __init__(self, port: int, run: str) -> None:
        # an optional library, looked for before the run begins
        from prometheus_client import CollectorRegistry, Counter, Gauge, Info, start_http_server

        self._registry = CollectorRegistry()
        self._gauges: dict[str, Gauge] = {}
        self._patches = Counter("mpmm_patches", "patches trained on by this process", registry=self._registry)
        Info("mpmm_run", "the run", registry=self._registry).info({"name": run})
        try:
            self._server, self._thread = start_http_server(port, LOOPBACK, self._registry)
        except OSError as error:
            raise _taken(port, error) from error

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def step(self, entry: Mapping[str, object]) -> None:
        """Show what one training step measured."""
        for name, value in entry.items():
            if name == "patches":
                self._patches.inc(float(str(value)))
            else:
                self._show("step_seconds" if name == "seconds" else name, value)

    def epoch(self, entry: Mapping[str, object]) -> None:
        """Show what one epoch and its validation measured."""
        for name, value in entry.items():
            if name not in ("epoch", "step", "best"):
                self._show("run_seconds" if name == "seconds" else name, value)

    def flush(self) -> None:
        """Do nothing: what is served is the latest."""

    def _show(self, name: str, value: object) -> None:
        from prometheus_client import Gauge

        if not isinstance(value, int | float):
            return
        if name not in self._gauges:
            text = _HELP.get(name, f"{name.replace('_', ' ')} of the latest epoch")
            self._gauges[name] = Gauge(f"mpmm_{name}", text, registry=self._registry)
        self._gauges[name].set(value)


def _taken(port: int, error: OSError) -> RunError:
    return RunError(
        f"[training] prometheus = {port}: cannot listen on {LOOPBACK}:{port}: {error.strerror}",
        "end what listens there, or choose another port",
    )
