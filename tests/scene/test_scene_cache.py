"""The cache: reused when nothing changed, never otherwise; finished or not there; prepared once."""

import errno
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import filelock
import numpy as np
import pytest
from filelock import FileLock
from mpmm_kernels.runtime import lock

from mpmm.errors import SceneError
from mpmm.scene import Labels, LandCover, Modality, Scene, cache, preparing, why_no_files


@pytest.fixture
def prepared(monkeypatch):
    """Names of what was prepared since the start of the test."""
    names: list[str] = []
    write_modality, write_labels = preparing._write_modality, preparing._write_labels

    def count_modality(folder, plan, progress):
        names.append(plan.modality.name)
        return write_modality(folder, plan, progress)

    def count_labels(folder, plan, counts):
        names.append("labels")
        return write_labels(folder, plan, counts)

    monkeypatch.setattr(preparing, "_write_modality", count_modality)
    monkeypatch.setattr(preparing, "_write_labels", count_labels)
    return names


@pytest.fixture
def scene(write_raster, make_scene):
    write_raster("x.tif", np.full((2, 10, 15), 5, np.uint8))
    return make_scene(Modality("x", ("x.tif",)))


def finished(scene):
    return sorted(path.name.split("-")[0] for path in scene.cache_folder.glob("[!.]*") if path.is_dir())


def test_a_second_run_prepares_nothing(scene, prepared):
    first = scene.align()
    again = scene.align()
    assert prepared == ["labels", "x"]
    np.testing.assert_array_equal(first.modalities["x"].values, again.modalities["x"].values)


@pytest.mark.parametrize(
    "setting",
    [
        {"bands": (2,)},
        {"drop_bands": (1,)},
        {"resampling": "nearest"},
        {"scale": 2.0},
        {"offset": 1.0},
        {"nodata": 5.0},
        {"nodata": float("nan")},
        {"stack": True, "files": ("x.tif", "x.tif")},
    ],
)
def test_another_setting_is_prepared_anew(scene, prepared, setting):
    scene.align()
    other = Modality(**{"name": "x", "files": ("x.tif",), **setting})
    changed = Scene(scene.folder, scene.labels, (other,))
    assert changed.align().modalities["x"].values.shape[:2] == (20, 30)
    if setting.keys() != {"stack", "files"}:
        assert prepared == ["labels", "x", "x"]
    scene.align()
    assert prepared.count("x") <= 2


def test_normalization_alone_prepares_nothing(scene, prepared):
    scene.align()
    changed = Scene(scene.folder, scene.labels, (Modality("x", ("x.tif",), normalization="none"),))
    assert changed.align().modalities["x"].normalization == "none"
    assert prepared == ["labels", "x"]


def test_a_changed_source_is_prepared_anew(scene, prepared, write_raster):
    scene.align()
    write_raster("x.tif", np.full((2, 10, 15), 6, np.uint8))
    assert (scene.align().modalities["x"].values == 6).all()
    assert prepared == ["labels", "x", "x"]


def test_a_source_changed_within_the_clocks_grain_is_prepared_anew(scene, prepared, write_raster):
    """Same size, same time of change: the contents tell."""
    path = scene.folder / "x.tif"
    before = path.stat()
    scene.align()
    write_raster("x.tif", np.full((2, 10, 15), 6, np.uint8))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert (scene.align().modalities["x"].values == 6).all()


def test_a_changed_envi_header_is_prepared_anew(write_raster, make_scene, prepared):
    write_raster("x.pix", np.full((1, 10, 15), 5, np.int16), driver="ENVI")
    scene = make_scene(Modality("x", ("x.pix",)))
    scene.align()
    header = scene.folder / "x.hdr"
    header.write_text(header.read_text().replace("byte order = 0", "byte order = 1"))
    assert (scene.align().modalities["x"].values == 5 * 256).all()


def test_another_label_grid_is_prepared_anew(scene, prepared, write_raster):
    scene.align()
    write_raster("labels.tif", np.ones((12, 12), np.uint8), 0.25)
    assert scene.align().modalities["x"].values.shape == (12, 12, 2)
    assert prepared == ["labels", "x", "labels", "x"]


def test_a_moved_scene_keeps_its_cache(scene, prepared, tmp_path, tmp_path_factory):
    scene.align()
    moved = tmp_path_factory.mktemp("elsewhere") / "scene"
    tmp_path.rename(moved)
    Scene(moved, scene.labels, scene.modalities).align()
    assert prepared == ["labels", "x"]


def test_the_cache_can_be_elsewhere(scene, tmp_path):
    elsewhere = tmp_path / "other" / "place"
    Scene(scene.folder, scene.labels, scene.modalities, elsewhere).align()
    assert sorted(path.name.split("-")[0] for path in elsewhere.iterdir() if path.is_dir()) == ["labels", "x"]
    assert not scene.cache_folder.exists()


def test_known_ids_are_checked_in_the_cache_too(scene, write_raster):
    """The labels' cache serves every class list; one that lacks an id is still refused."""
    scene.align()
    some = Labels("labels.tif", (LandCover(1, "grass", "#00ff00"),))
    with pytest.raises(SceneError, match=r"holds ids \[2, 3\] that are neither"):
        Scene(scene.folder, some, scene.modalities).align()


def test_another_list_of_ignored_ids_is_prepared_anew(scene, write_raster):
    """Whether nodata keeps its value or becomes -1 depends on it."""
    write_raster("labels.tif", np.array([[7, 1]], np.uint8), 0.5, nodata=7)
    assert Scene(scene.folder, Labels("labels.tif"), ()).read_labels().ids.tolist() == [[-1, 1]]
    assert Scene(scene.folder, Labels("labels.tif", ignore=(7,)), ()).read_labels().ids.tolist() == [[7, 1]]


@pytest.mark.parametrize(
    "damage", ["version", "marker", "no marker", "short array", "no array", "fingerprint"]
)
def test_a_damaged_or_foreign_cache_is_prepared_again_with_a_word(scene, prepared, caplog, damage):
    scene.align()
    (folder,) = (path for path in scene.cache_folder.glob("x-*") if path.is_dir())
    marker = folder / "ready.json"
    written = json.loads(marker.read_text())
    if damage == "version":
        marker.write_text(json.dumps({**written, "version": 99}))
        expected = "written by cache version 99, this is version 2"
    elif damage == "fingerprint":
        marker.write_text(json.dumps({**written, "fingerprint": "0"}))
        expected = "of another source or setting"
    elif damage in ("marker", "no marker"):
        marker.write_text(marker.read_text()[:50])
        if damage == "no marker":
            marker.unlink()
        expected = "ready.json is missing or damaged"
    else:
        values = folder / "values.npy"
        values.write_bytes(values.read_bytes()[:-1])
        if damage == "no array":
            values.unlink()
        expected = "values.npy does not have the"
    with caplog.at_level(logging.WARNING, "mpmm.scene"):
        aligned = scene.align().modalities["x"]
    assert prepared == ["labels", "x", "x"]
    assert (aligned.values == 5).all()
    (message,) = [record.getMessage() for record in caplog.records]
    assert str(folder) in message
    assert expected in message
    scene.align()
    assert prepared == ["labels", "x", "x"]


def test_an_error_midway_leaves_nothing_behind(scene, monkeypatch):
    def fail(self, box):
        raise RuntimeError("midway")

    monkeypatch.setattr(preparing.Aligner, "read", fail)
    with pytest.raises(RuntimeError, match="midway"):
        scene.align()
    assert finished(scene) == ["labels"]
    assert not list(scene.cache_folder.glob(".*"))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fills_up_midway(scene, monkeypatch, code):
    def fail(stream, start, box, columns, values):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(preparing, "_put", fail)
    with pytest.raises(SceneError, match=r"is full: 5,400 bytes are needed, [\d,]+ are free") as caught:
        scene.align()
    assert "cache" in caught.value.hint
    assert finished(scene) == ["labels"]
    assert not list(scene.cache_folder.glob(".*"))


def test_a_disk_too_small_is_noticed_before_anything_is_written(scene, monkeypatch):
    monkeypatch.setattr(cache, "free_bytes", lambda place: 6000)
    with pytest.raises(SceneError, match="6,600 bytes are needed, 6,000 are free"):
        scene.align()
    assert not scene.cache_folder.exists()


@pytest.mark.parametrize("place", ["/proc", "/proc/mpmm"])
def test_a_folder_that_takes_no_files_is_no_full_disk(scene, place):
    """Of /proc no byte is free: "the disk of /proc is full, make room" was said of it."""
    blocked = Scene(scene.folder, scene.labels, scene.modalities, Path(place))
    with pytest.raises(SceneError, match=f"cache {place} cannot be written: ") as caught:
        blocked.align()
    assert "make room" not in str(caught.value)
    assert "cache =" in caught.value.hint


def test_why_a_folder_takes_no_files(tmp_path, monkeypatch):
    assert why_no_files(tmp_path / "to" / "be" / "made") is None
    for code, reason in ((errno.ENOSPC, None), (errno.EDQUOT, None), (errno.EROFS, os.strerror(errno.EROFS))):
        error = OSError(code, os.strerror(code))
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda dir, error=error: (_ for _ in ()).throw(error))
        assert why_no_files(tmp_path) == reason
    assert list(tmp_path.iterdir()) == []


def test_a_cache_folder_that_cannot_be_made(scene, tmp_path):
    (tmp_path / "file").write_text("")
    blocked = Scene(scene.folder, scene.labels, scene.modalities, tmp_path / "file")
    with pytest.raises(SceneError, match="cannot be made") as caught:
        blocked.align()
    assert "cache =" in caught.value.hint


def test_a_finished_cache_is_used_where_nothing_can_be_written(scene, monkeypatch):
    scene.align()

    def refuse(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(cache, "in_turn", refuse)
    assert scene.align().modalities["x"].present.all()


_PREPARE = """
import sys, time
from pathlib import Path
from mpmm.scene import Labels, Modality, Scene, preparing
write, read = preparing._write_modality, preparing.Aligner.read
def slow_read(self, box):
    time.sleep(float(sys.argv[2]))
    return read(self, box)
def told_write(folder, plan, progress):
    print("prepares", flush=True)
    return write(folder, plan, progress)
preparing.Aligner.read, preparing._write_modality = slow_read, told_write
scene = Scene(Path(sys.argv[1]), Labels("labels.tif"), (Modality("x", ("x.tif",)),))
print(float(scene.align().modalities["x"].values.sum()))
"""


def start(scene, seconds):
    command = [sys.executable, "-W", "error", "-c", _PREPARE, str(scene.folder), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_several_processes_prepare_once(scene):
    runs = [start(scene, 1.0) for _ in range(3)]
    outputs = [run.communicate(timeout=60) for run in runs]
    # on a busy machine they say after a while for whom they wait
    assert all(line.startswith("waiting for ") for _, error in outputs for line in error.splitlines())
    assert sum("prepares" in out for out, _ in outputs) == 1
    assert {out.split()[-1] for out, _ in outputs} == {"6000.0"}


def test_a_process_that_stands_still_is_told_and_not_waited_for(scene, monkeypatch, caplog):
    """A run suspended with Ctrl-Z while it prepared a scene kept every later one from starting, silently."""
    for name, seconds in {"_LOOK": 0.05, "_PATIENCE": 0.1, "_STILL": 0.5}.items():
        monkeypatch.setattr(lock, name, seconds)
    with start(scene, 0.5) as other:
        assert other.stdout.readline() == "prepares\n"
        other.send_signal(signal.SIGSTOP)
        assert (scene.align().modalities["x"].values == 5).all()
        waiting, going_on = caplog.messages
        holder = f"process {other.pid} on {socket.gethostname()}"
        assert re.fullmatch(rf"waiting for {scene.cache_folder}/x-\w+\.lock, held by {holder}", waiting)
        assert going_on.endswith(f"{holder} stands still")
        assert len(list(scene.cache_folder.glob(".x-*.partial"))) == 1
        other.send_signal(signal.SIGCONT)
        assert other.communicate(timeout=60) == ("6000.0\n", "")
    assert finished(scene) == ["labels", "x"]
    assert not list(scene.cache_folder.glob(".x-*"))


def test_waiting_rank_saw_a_full_disk(scene, monkeypatch):
    """Two ranks start on a scene that fills most of the disk, and the second waits for the first.
    What the first has written was missing from the free space, and the second refused: no room for all.
    Right: what another process has written of an entry need not be written again.
    """
    scene.align()
    (done,) = (path for path in scene.cache_folder.glob("x-*") if path.is_dir())
    partial = scene.cache_folder / f".{done.name}.partial"
    done.rename(partial)
    (partial / "ready.json").unlink()
    assert scene.inspect().to_write_bytes == 0
    partial.rename(done)
    assert scene.inspect().to_write_bytes == 20 * 30 * (2 * 4 + 1)


def test_leftovers_of_other_settings_are_removed_too_unless_in_use(scene):
    scene.cache_folder.mkdir()
    dead, alive = (scene.cache_folder / f".x-{key}.partial" for key in ("dead", "alive"))
    for folder in (dead, alive):
        folder.mkdir()
        (folder / "values.npy").write_bytes(b"some")
    with FileLock(scene.cache_folder / "x-alive.lock"):
        scene.align()
    assert not dead.exists()
    assert alive.exists()


def test_another_process_puts_its_files_in_place_while_leftovers_are_looked_for(scene, monkeypatch):
    """Five ranks prepared two modalities: what one saw of the other's was gone when it held the lock."""
    partial = scene.cache_folder / ".other-0123.partial"
    partial.mkdir(parents=True)
    (partial / "values.npy").write_bytes(b"whole")

    class OtherFinishes(FileLock):
        def acquire(self, *arguments, **options):
            if "other-0123" in self.lock_file and partial.exists():
                partial.rename(scene.cache_folder / "other-0123")
            return super().acquire(*arguments, **options)

    monkeypatch.setattr(filelock, "FileLock", OtherFinishes)
    scene.align()
    assert finished(scene) == ["labels", "other", "x"]
    assert (scene.cache_folder / "other-0123" / "values.npy").read_bytes() == b"whole"


def test_the_space_still_needed_counts_files_that_another_process_moves(tmp_path, monkeypatch):
    entry = cache.CacheEntry(tmp_path, "x", {"source": 1}, bytes=100)
    gone = tmp_path / "gone.npy"
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter([gone]))
    assert entry.bytes_to_write() == 100


def test_a_kill_midway_leaves_nothing_finished_and_no_lock(scene, prepared):
    run = start(scene, 60)
    assert run.stdout.readline() == "prepares\n"
    time.sleep(0.3)
    partial = list(scene.cache_folder.glob(".x-*"))
    assert len(partial) == 1
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=60)
    assert finished(scene) == ["labels"]
    aligned = scene.align().modalities["x"]
    assert (aligned.values == 5).all()
    assert prepared == ["x"]
    assert not list(scene.cache_folder.glob(".*"))
