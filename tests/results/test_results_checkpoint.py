"""Checkpoints: what is read is what was written, and anything else is refused with its reason."""

import errno
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mpmm.errors import RunError
from mpmm.network import state_sha256
from mpmm.results.checkpoint import Checkpoint, read_checkpoint, write_checkpoint


def example(seed: int = 0) -> Checkpoint:
    random = np.random.default_rng(seed)
    parameters = {
        "hsi.block1.convolution.weights": random.normal(size=(3, 3, 3, 1, 4)).astype(np.float32),
        "hsi.block1.convolution.bias": np.zeros(4, np.float32),
        "scalar": np.array(2.5),
    }
    state = {"step": 17, "best": 0.1 + 0.2, "stale": 0, "seeds": {"network": 2**63}, "none": None}
    return Checkpoint({"parameters": parameters, "first": {"scalar": np.array(1e-300)}}, state)


def test_read_is_what_was_written_bit_for_bit(tmp_path):
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, example())
    found = read_checkpoint(path)
    assert found.state == example().state
    assert found.arrays.keys() == {"parameters", "first"}
    for group, arrays in example().arrays.items():
        for name, array in arrays.items():
            assert found.arrays[group][name].dtype == array.dtype
            assert found.arrays[group][name].shape == array.shape
            assert found.arrays[group][name].tobytes() == array.tobytes()


def test_fortran_ordered_arrays_keep_their_layout(tmp_path):
    """Safetensors writes the memory of an array as it lies; transposed weights would come back scrambled."""
    array = np.arange(6.0).reshape(2, 3).T
    write_checkpoint(tmp_path / "a", Checkpoint({"parameters": {"w": array}}, {}))
    np.testing.assert_array_equal(read_checkpoint(tmp_path / "a").arrays["parameters"]["w"], array)


def test_other_programs_read_the_arrays(tmp_path):
    write_checkpoint(tmp_path / "a.safetensors", example())
    assert "parameters/hsi.block1.convolution.bias" in load_file(tmp_path / "a.safetensors")


def test_no_pickle_inside(tmp_path):
    write_checkpoint(tmp_path / "a", example())
    header = (tmp_path / "a").read_bytes()
    size = int.from_bytes(header[:8], "little")
    assert json.loads(header[8 : 8 + size])["__metadata__"].keys() == {"mpmm"}


def refusal(path: Path) -> str:
    with pytest.raises(RunError) as caught:
        read_checkpoint(path)
    assert caught.value.hint
    assert "\n" not in str(caught.value)
    assert str(path) in caught.value.problem
    return caught.value.problem


@pytest.mark.parametrize("length", [0, 4, 100, -1])
def test_cut_short_is_refused(tmp_path, length):
    write_checkpoint(tmp_path / "a", example())
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:length])
    assert "damaged" in refusal(tmp_path / "a")


def test_one_flipped_bit_is_refused(tmp_path):
    write_checkpoint(tmp_path / "a", example())
    content = bytearray((tmp_path / "a").read_bytes())
    content[-3] ^= 1
    (tmp_path / "a").write_bytes(content)
    assert "checksum" in refusal(tmp_path / "a")


def test_missing_foreign_and_newer_files_are_refused(tmp_path):
    assert "no such checkpoint" in refusal(tmp_path / "absent")
    save_file({"w": np.zeros(3)}, tmp_path / "foreign")
    assert "not a checkpoint of mpmm" in refusal(tmp_path / "foreign")
    save_file({"w": np.zeros(3)}, tmp_path / "newer", {"mpmm": json.dumps({"format": "mpmm checkpoint 2"})})
    assert "'mpmm checkpoint 2'" in refusal(tmp_path / "newer")
    save_file({"w": np.zeros(3)}, tmp_path / "bad", {"mpmm": "{"})
    assert "not JSON" in refusal(tmp_path / "bad")
    save_file({"w": np.zeros(3)}, tmp_path / "short", {"mpmm": json.dumps({"format": "mpmm checkpoint 1"})})
    assert "lacks" in refusal(tmp_path / "short")


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_keeps_the_old_one(tmp_path, monkeypatch, call):
    path = tmp_path / "last"
    write_checkpoint(path, example(0))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(RunError, match="no space left"):
        write_checkpoint(path, example(1))
    monkeypatch.undo()
    kept = read_checkpoint(path).arrays["parameters"]
    assert state_sha256(kept) == state_sha256(example(0).arrays["parameters"])
    assert [file.name for file in tmp_path.iterdir()] == ["last"]


def test_killed_while_writing_keeps_a_whole_one(tmp_path):
    """A process that rewrites one checkpoint without pause is killed: what is left must be readable."""
    path = tmp_path / "last"
    script = textwrap.dedent("""
        import sys, numpy as np
        from pathlib import Path
        from mpmm.results.checkpoint import Checkpoint, write_checkpoint
        for step in range(10**9):
            arrays = {"parameters": {"w": np.full(200_000, step, np.float32)}}
            write_checkpoint(Path(sys.argv[1]), Checkpoint(arrays, {"step": step}))
            print(step, flush=True)
    """)
    for wait in (1, 3, 6):
        writer = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE)
        for _ in range(wait):
            writer.stdout.readline()
        writer.kill()
        writer.wait(timeout=20)
        writer.stdout.close()
        found = read_checkpoint(path)
        assert np.all(found.arrays["parameters"]["w"] == found.state["step"])
