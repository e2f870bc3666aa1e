"""A preparation reads each header once, and the next one anew."""

from collections import Counter
from pathlib import Path

import numpy as np
import rasterio
from small_runs import small_config

from mpmm.preparation import prepare
from mpmm.scene import raster
from mpmm.settings import load_config


def test_a_preparation_reads_each_header_once(tmp_path, monkeypatch):
    """Labels were opened once more for every tile of a modality, three times over."""
    config, opened = load_config(small_config(tmp_path)), Counter[Path]()
    open_dataset = raster.open_dataset

    def counting(path, who):
        opened[path] += 1
        return open_dataset(path, who)

    prepare(config)
    monkeypatch.setattr(raster, "open_dataset", counting)
    prepare(config)
    assert len(opened) >= 3
    assert set(opened.values()) == {1}


def test_the_next_preparation_sees_a_header_that_has_changed(tmp_path):
    config = load_config(small_config(tmp_path))
    before, _ = prepare(config)
    (file,) = config.scene.modalities[0].files
    with rasterio.open(config.scene.folder / file, "r+") as dataset:
        dataset.nodata = float(dataset.read(1)[0, 0])
    after, _ = prepare(config)
    name = config.scene.modalities[0].name
    present = [prepared.scene.modalities[name].present for prepared in (before, after)]
    assert np.count_nonzero(present[0] != present[1])
