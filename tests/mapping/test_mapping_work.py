"""A map under way: what is done stays done, and only what is whole counts as done."""

import os
from dataclasses import replace

import numpy as np
import pytest
from mapping_examples import classes

from mpmm.errors import RunError
from mpmm.mapping import Window, WorkFolder, cut, raster_specs

REGION = Window(4, 2, 23, 31)
WINDOWS = cut(REGION, (10, 16))


def folder(path, specs=None, **key):
    return WorkFolder(path / ".m.work", REGION, WINDOWS, specs or raster_specs(classes(3), True, True), key)


def pixels(work, index):
    """Something else for every window."""
    shape = WINDOWS[index].height, WINDOWS[index].width
    return {spec.name: np.full((spec.bands, *shape), index + 1, spec.dtype) for spec in work.raster_specs}


def test_another_start_goes_on_with_the_missing_windows(tmp_path):
    first = folder(tmp_path, network="a")
    with first.locked():
        assert first.missing() == tuple(range(len(WINDOWS)))
        for index in (0, 3, 5):
            first.put(index, pixels(first, index))
    again = folder(tmp_path, network="a")
    with again.locked():
        assert again.missing() == (1, 2, 4, 6)
        for index in again.missing():
            again.put(index, pixels(again, index))
        assert again.missing() == ()
        for spec in again.raster_specs:
            for index, window in enumerate(WINDOWS):
                assert (again.raster(spec)[(slice(None), *window.of(REGION))] == index + 1).all()
        again.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", ["key", "rasters"])
def test_another_map_begins_anew(tmp_path, change):
    first = folder(tmp_path, network="a")
    with first.locked():
        first.put(2, pixels(first, 2))
    key = {"network": "b" if change == "key" else "a"}
    other = folder(tmp_path, raster_specs(classes(3)) if change == "rasters" else None, **key)
    with other.locked():
        assert len(other.missing()) == len(WINDOWS)


def test_a_window_that_was_not_flushed_is_missing(tmp_path, monkeypatch):
    work = folder(tmp_path)
    with work.locked():
        monkeypatch.setattr(
            np.memmap, "flush", lambda self: (_ for _ in ()).throw(OSError(28, "No space left"))
        )
        with pytest.raises(RunError, match="No space left"):
            work.put(1, pixels(work, 1))
        assert 1 in work.missing()


def test_two_processes_do_not_write_one_map(tmp_path):
    refused = pytest.raises(
        RunError, match=rf"another process \(process {os.getpid()} on .*\) writes this map"
    )
    with folder(tmp_path).locked(), refused, folder(tmp_path).locked():
        pass


def test_class_raster_finds_a_number_for_not_classified():
    covers = classes(3)
    usual = raster_specs(covers)[0]
    assert (usual.dtype, usual.nodata) == ("uint8", 0)
    zero = raster_specs((replace(covers[0], id=0), *covers))[0]
    assert (zero.dtype, zero.nodata) == ("uint8", 2)
    wide = raster_specs((replace(covers[0], id=300), *covers))[0]
    assert (wide.dtype, wide.nodata) == ("int16", 0)
