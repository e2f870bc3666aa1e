"""Writing the synthetic scene: the same pixels for a seed, never over a user's files, whole or not ready."""

import errno
import hashlib
import os
import shutil
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from scenes import tiny_scene

from mpmm.errors import SceneError
from mpmm.synthetic import scene as synthetic
from mpmm.synthetic import write_synthetic
from mpmm.synthetic.city import EXTENTS, Extent, plan_city
from mpmm.synthetic.paint import Painter
from mpmm.synthetic.plan import METRE
from mpmm.synthetic.sensors import Sensors

# of all pixels of the tiny scene with seed 0; it may change only with the scene itself, on purpose
PINNED = "b2aa33d7eee93765c3c32dd9e11bdaf08fb5d2ac2b637ed130afbf6c7a4e7548"
# a scene of 10 m x 20 m: written in no time
PATCH = Extent(10, 20, (5 * METRE, 6 * METRE), (10, 10 * METRE))


@pytest.fixture
def patch_size(monkeypatch):
    """A size "tiny" that is far smaller."""
    monkeypatch.setitem(EXTENTS, "tiny", PATCH)


def rasters(folder):
    return sorted(path for path in folder.rglob("*") if path.suffix in (".tif", ".pix"))


def pixels(folder):
    """All rasters' pixels by name."""
    found = {}
    for path in rasters(folder):
        with rasterio.open(path) as raster:
            found[path.name] = raster.read()
    return found


def test_pixels_are_pinned(tmp_path):
    tiny_scene(tmp_path)
    digest = hashlib.sha256()
    for name, values in pixels(tmp_path).items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes())
    assert digest.hexdigest() == PINNED


def test_same_seed_same_files_another_seed_other_files(tmp_path, patch_size):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        write_synthetic(tmp_path / name, "tiny", seed)
    a, b, c = (pixels(tmp_path / name) for name in "abc")
    assert len(a) == 13
    for name, values in a.items():
        np.testing.assert_array_equal(values, b[name])
        assert not np.array_equal(values, c[name]), name


def test_pixels_do_not_depend_on_how_the_scene_is_cut_into_windows(tmp_path, patch_size, monkeypatch):
    write_synthetic(tmp_path / "whole", "tiny", 0)
    monkeypatch.setattr(synthetic, "_ROWS", 3)
    monkeypatch.setattr(synthetic, "_COLUMNS", 4)
    write_synthetic(tmp_path / "parts", "tiny", 0)
    whole, parts = pixels(tmp_path / "whole"), pixels(tmp_path / "parts")
    for name, values in whole.items():
        if name.endswith(".pix"):
            # only the noise is drawn window by window
            difference = np.abs(values.astype(int) - parts[name])
            assert difference.mean() < 130
            np.testing.assert_array_equal(values[48:], parts[name][48:])
        else:
            np.testing.assert_array_equal(values, parts[name], err_msg=name)


def test_noise_apart_hsi_does_not_depend_on_windows(monkeypatch):
    monkeypatch.setattr(Sensors, "_noise", lambda self, window, counts: np.zeros_like(counts))
    surfaces = plan_city(PATCH, 1)
    painter, sensors = Painter(surfaces, PATCH, 1), Sensors(surfaces, 1)
    whole = PATCH.whole

    def see(box):
        return sensors.hsi(box, painter.paint(box.inset(-METRE), 5))

    halves = [whole.columns(0, 14 * METRE), whole.columns(14 * METRE, whole.width)]
    np.testing.assert_array_equal(see(whole), np.concatenate([see(half) for half in halves], axis=2))


def test_a_folder_with_files_is_refused_with_or_without_force(tmp_path):
    (tmp_path / "holiday.txt").write_text("precious")
    for force in (False, True):
        with pytest.raises(SceneError, match="is not empty and holds no synthetic scene") as refused:
            write_synthetic(tmp_path, "tiny", 0, force=force)
        assert refused.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.txt"]


def test_a_synthetic_scene_is_replaced_only_by_force(tmp_path, patch_size):
    write_synthetic(tmp_path, "tiny", 0)
    with pytest.raises(SceneError, match="already holds a synthetic scene") as refused:
        write_synthetic(tmp_path, "tiny", 1)
    assert "--force" in refused.value.hint
    tiles = tmp_path / "2018IEEE_Contest" / "Phase2" / "Final RGB HR Imagery"
    mine, stale = tiles / "mine.tif", tiles / "UH_NAD83_272181_3289689.tif"
    shutil.copy(rasters(tmp_path)[0], mine)
    with pytest.raises(SceneError, match=r"mine\.tif is no part of a synthetic scene"):
        write_synthetic(tmp_path, "tiny", 1, force=True)
    mine.rename(tmp_path.parent / f"{tmp_path.name}.tif")
    shutil.copy(rasters(tmp_path)[0], stale)
    write_synthetic(tmp_path, "tiny", 1, force=True)
    assert not stale.exists(), "a tile of another size would be taken for part of the scene"
    assert "seed 1" in (tmp_path / "mpmm.toml").read_text()


def test_an_interrupted_scene_has_no_configuration_and_can_be_written_again(tmp_path, patch_size):
    write_synthetic(tmp_path, "tiny", 0)

    def interrupt(what, share):
        if share > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_synthetic(tmp_path, "tiny", 0, interrupt, force=True)
    assert not (tmp_path / "mpmm.toml").exists()
    assert write_synthetic(tmp_path, "tiny", 0, force=True).is_file()


def test_a_disk_that_is_too_small_is_noticed_before_anything_is_written(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10**6))
    with pytest.raises(SceneError, match=r"the scene needs 2,\d\d\d MB, the disk has 1 MB"):
        write_synthetic(tmp_path / "scene", "houston", 0)
    assert not (tmp_path / "scene").exists()


def test_a_replaced_scene_makes_room_for_the_next(tmp_path, patch_size, monkeypatch):
    write_synthetic(tmp_path, "tiny", 0)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10))
    assert write_synthetic(tmp_path, "tiny", 1, force=True).is_file()


def test_a_disk_that_fills_up_is_one_clear_error(tmp_path, patch_size, monkeypatch):
    def full(self, row, values):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(synthetic.SceneFiles, "write_hsi", full)
    with pytest.raises(SceneError, match="No space left on device"):
        write_synthetic(tmp_path, "tiny", 0)
    assert not (tmp_path / "mpmm.toml").exists()


def test_a_folder_that_takes_no_files_is_no_full_disk(tmp_path, patch_size, monkeypatch):
    with pytest.raises(SceneError, match="/proc/scene: cannot be written: ") as caught:
        write_synthetic(Path("/proc/scene"), "tiny", 0)
    assert caught.value.hint == "name a folder in which you may write"

    def refused(self, row, values):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(synthetic.SceneFiles, "write_hsi", refused)
    with pytest.raises(SceneError, match="Read-only file system") as caught:
        write_synthetic(tmp_path, "tiny", 0)
    assert caught.value.hint == "name a folder in which you may write"


def test_a_file_that_was_cut_short_is_noticed(tmp_path, patch_size, monkeypatch):
    monkeypatch.setattr(synthetic.SceneFiles, "write_hsi", lambda self, row, values: None)
    with pytest.raises(SceneError, match=r"20170218_UH_CASI_S4_NAD83\.pix holds 0 bytes"):
        write_synthetic(tmp_path, "tiny", 0)


@pytest.mark.parametrize(("size", "seed", "said"), [("huge", 0, "no size 'huge'"), ("tiny", -1, "negative")])
def test_bad_arguments_are_refused(tmp_path, size, seed, said):
    with pytest.raises(SceneError, match=said):
        write_synthetic(tmp_path / "scene", size, seed)
    assert not (tmp_path / "scene").exists()


def test_progress_only_grows_and_ends_at_1(tmp_path, patch_size):
    told = []
    write_synthetic(tmp_path, "tiny", 0, lambda what, share: told.append((what, share)))
    writing = [share for what, share in told if what == "writing the scene"]
    assert writing == sorted(writing)
    assert (writing[0], writing[-1]) == (0, 1)


def test_memory_follows_the_window_not_the_scene(tmp_path, monkeypatch):
    peaks = []
    for height in (20, 120):
        monkeypatch.setitem(EXTENTS, "tiny", replace(PATCH, height=height, width=40))
        peaks.append(peak_of_writing(tmp_path / str(height)))
    # six times the scene, six times its 3 MB of HSI and 9 MB of RGB
    assert peaks[1] < 1.3 * peaks[0]


def peak_of_writing(folder):
    """Most bytes allocated while rasters are written, beyond what was there before."""
    before = []

    def tell(what, share):
        if what == "writing the scene" and not before:
            tracemalloc.reset_peak()
            before.append(tracemalloc.get_traced_memory()[0])

    tracemalloc.start()
    try:
        write_synthetic(folder, "tiny", 0, tell)
        return tracemalloc.get_traced_memory()[1] - before[0]
    finally:
        tracemalloc.stop()


def test_configuration_is_ready_and_teaches_its_keys(tmp_path):
    from mpmm.settings.config import load_config

    path = tiny_scene(tmp_path)
    config = load_config(path)
    assert [modality.name for modality in config.scene.modalities] == ["hsi", "rgb"]
    assert len(config.scene.labels.classes) == 20
    assert config.patches.size == 25
    assert config.network.modalities == ("hsi", "rgb")
    lines = path.read_text().splitlines()
    keys = [number for number, line in enumerate(lines) if " = " in line and not line.startswith("#")]
    assert len(keys) >= 12
    for number in keys:
        near = lines[max(0, number - 3) : number]
        assert any(line.startswith("# ") for line in near), f"nothing explains {lines[number]!r}"


def test_marker_says_that_the_scene_is_synthetic(tmp_path):
    text = (tiny_scene(tmp_path).parent / "SYNTHETIC.txt").read_text()
    assert "synthetic" in text
    assert "none of its data" in text
