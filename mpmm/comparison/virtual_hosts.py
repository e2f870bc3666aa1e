"""Runs of a comparison on the hosts of `launch/virtual-cluster`, whose interfaces are read around them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mpmm.errors import RunError
from mpmm.results import read_json, write_json

FILE = "interfaces.json"
_COUNTED = ("received", "sent", "used", "throttled")
Totals = Mapping[str, Mapping[str, float]]


def launcher_of(script: Path) -> list[str]:
    """What starts ranks on the hosts, one a host, in mpirun's place."""
    return [str(script.resolve()), "run"]


def check_hosts(script: Path, ranks: int) -> None:
    """Refuse a cluster that is not up, or has fewer hosts than ranks.

    Raises
    ------
    RunError
        With the command that starts one.
    """
    hosts = len(_totals(script))
    if hosts < ranks:
        raise RunError(
            f"{script}: {hosts} hosts are up, {ranks} ranks want one each",
            f"sudo {script} up {ranks} --rate 1gbit --cpu 35%",
        )


@contextmanager
def counted(script: Path, run: Path) -> Iterator[None]:
    """Keep in the run's folder what its hosts' interfaces carry meanwhile, added to what is there.

    Parameters
    ----------
    script
        `launch/virtual-cluster`.
    run
        The run folder; nothing is kept where the run never made it.
    """
    before = _totals(script)
    try:
        yield
    finally:
        after = _totals(script)
        if run.is_dir():
            write_json(run / FILE, {"hosts": _added(run / FILE, before, after)})


def interfaces_of(run: Path) -> list[Mapping[str, float]]:
    """What each rank's host counted, by rank; none over shared memory.

    Bytes received and sent by its interface, CPU seconds used, and seconds held back by its quota.
    """
    return list(read_json(run / FILE)["hosts"]) if (run / FILE).is_file() else []


def _added(file: Path, before: Totals, after: Totals) -> list[dict[str, float]]:
    none: list[Mapping[str, float]] = [dict.fromkeys(_COUNTED, 0.0)] * len(after)
    earlier = interfaces_of(file.parent) or none
    return [
        {key: counted.get(key, 0.0) + after[host][key] - before[host][key] for key in _COUNTED}
        for host, counted in zip(after, earlier, strict=True)
    ]


def _totals(script: Path) -> dict[str, dict[str, float]]:
    """What each host's interface has carried and its processes have used since it is up."""
    command = [str(script.resolve()), "status", "--json"]
    hint = f"sudo {script} up 5 --rate 1gbit --cpu 35%"
    try:
        status = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
        hosts: list[dict[str, Any]] = json.loads(status)["hosts"]
        return {str(host["name"]): {key: float(host[key] or 0) for key in _COUNTED} for host in hosts}
    except subprocess.CalledProcessError as error:
        last = (error.stderr or error.stdout).strip().splitlines() or ["it said nothing"]
        raise RunError(f"{script}: no virtual cluster: {last[0]}", hint) from error
    except (OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError) as error:
        raise RunError(f"{script}: does not tell what hosts are up: {error}", hint) from error
