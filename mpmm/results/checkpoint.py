"""A checkpoint: every array and counter a run needs to go on, in one safetensors file without pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from mpmm.errors import RunError
from mpmm.network import state_sha256
from mpmm.results.files import write_whole

Arrays = Mapping[str, NDArray[Any]]

FORMAT = "mpmm checkpoint 1"
# the one entry of the safetensors header's metadata; it holds JSON
_HEADER = "mpmm"


@dataclass(frozen=True)
class Checkpoint:
    """The whole state of a training run at the end of one step.

    Parameters
    ----------
    arrays
        Group -> name -> array. The groups of a run: `parameters` (with the running statistics) and Adam's
        `moments`.
    state
        What JSON can hold: step, epoch, position in the epoch, seeds, best score, configuration.
    """

    arrays: Mapping[str, Arrays]
    state: Mapping[str, Any]


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` to `path`, whole or not at all; an older one there is replaced in one step.

    The file is in the safetensors format: arrays are named `group/name`; the header's metadata holds the
    state as JSON and a SHA-256 of all arrays, so that a damaged file is noticed.
    """
    flat = {
        f"{group}/{name}": np.asarray(array, order="C")
        for group, arrays in checkpoint.arrays.items()
        for name, array in arrays.items()
    }
    header = {"format": FORMAT, "sha256": state_sha256(flat), "state": checkpoint.state}
    write_whole(path, save(flat, {_HEADER: json.dumps(header, allow_nan=False)}))


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint, and check that its arrays are as they were written.

    Raises
    ------
    RunError
        When the file is missing, cut short, changed since it was written, or not mpmm's.
    """
    flat, metadata = _read(path)
    header = _header(path, metadata)
    if state_sha256(flat) != header["sha256"]:
        raise _damaged(path, "its arrays do not match their checksum")
    arrays: dict[str, dict[str, NDArray[Any]]] = {}
    for key, array in flat.items():
        group, _, name = key.partition("/")
        arrays.setdefault(group, {})[name] = array
    return Checkpoint(arrays, header["state"])


def _read(path: Path) -> tuple[dict[str, NDArray[Any]], Mapping[str, str]]:
    if not path.is_file():
        raise RunError(f"{path}: no such checkpoint", "give the folder of a run that was started")
    try:
        with safe_open(path, framework="numpy") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except SafetensorError as error:
        raise _damaged(path, f"not a whole safetensors file ({error})") from error
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror or error}", "check the disk") from error


def _header(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    if _HEADER not in metadata:
        raise RunError(
            f"{path}: a safetensors file, but not a checkpoint of mpmm", "give a run of mpmm train"
        )
    try:
        header = json.loads(metadata[_HEADER])
    except ValueError as error:
        raise _damaged(path, f"its header is not JSON ({error})") from error
    version = header.get("format") if isinstance(header, dict) else None
    if version != FORMAT:
        raise RunError(
            f"{path}: format {version!r}, this version reads {FORMAT!r}", "use the version that wrote it"
        )
    if not {"sha256", "state"} <= header.keys():
        raise _damaged(path, "its header lacks the checksum or the state")
    return dict(header)


def _damaged(path: Path, why: str) -> RunError:
    return RunError(f"{path}: damaged checkpoint: {why}", "use the other one: --checkpoint best or last")
