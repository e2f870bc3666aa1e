"""Bands are chosen by ranges of wavelengths and spread evenly: which values are read, and what is refused."""

import numpy as np
import pytest

from mpmm.errors import ConfigError, SceneError
from mpmm.scene import Modality
from mpmm.settings.config import load_config

CENTRES = tuple(400.0 + 10 * k for k in range(12))


@pytest.fixture
def chosen(write_raster, make_scene):
    """Numbers of the bands that are aligned: each band holds its own number."""
    numbers = np.arange(1, 13, dtype=np.float32)
    write_raster("cube.tif", np.broadcast_to(numbers[:, None, None], (12, 20, 30)).copy(), 0.5)

    def choose(**keys):
        told = {"wavelengths": CENTRES, **keys}
        aligned = make_scene(Modality("hsi", ("cube.tif",), **told)).align()
        return aligned.modalities["hsi"].values[3, 4].tolist()

    return choose


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"between": ((420, 440),)}, [3, 4, 5]),
        ({"between": ((500, 600), (400, 405))}, [1, 11, 12]),
        ({"between": ((400, 450),), "drop_bands": (2, 3)}, [1, 4, 5, 6]),
        ({"evenly": 4}, [1, 5, 8, 12]),
        ({"evenly": 12}, list(range(1, 13))),
        ({"evenly": 1}, [1]),
        ({"evenly": 3, "between": ((430, 480),)}, [4, 7, 9]),
        ({"evenly": 2, "bands": (9, 2, 7)}, [9, 7]),
    ],
)
def test_bands_between_wavelengths_and_spread_over_what_is_left(chosen, keys, expected):
    assert chosen(**keys) == expected


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"between": ((900, 950),)}, "no band of .* lies within 900 to 950 nm: they are 400 to 510"),
        ({"between": ((420, 440),), "wavelengths": None}, "between asks for wavelengths, but .* tells none"),
        ({"between": ((440, 420),)}, "between has the range 440 to 420 nm"),
        ({"evenly": 13}, "evenly asks for 13 bands, 12 are left"),
        ({"evenly": 0}, "evenly = 0 leaves no band"),
    ],
)
def test_choices_that_leave_nothing_are_refused(chosen, keys, problem):
    with pytest.raises(SceneError, match=problem):
        chosen(**keys)


def test_bands_of_another_modality_are_chosen_anew(chosen, tmp_path):
    chosen(evenly=2)
    config = tmp_path / "scene.toml"
    text = """
[scene.labels]
file = "labels.tif"
[scene.modalities.hsi]
files = ["cube.tif"]
wavelengths = {centres}
between = [[400, 450]]
[scene.modalities.few]
of = "hsi"
evenly = {few}
"""
    config.write_text(text.format(centres=list(CENTRES), few=3))
    assert [len(each.band_names) for each in load_config(config).scene.inspect().modalities] == [6, 3]
    config.write_text(text.format(centres=list(CENTRES), few='"three"'))
    with pytest.raises(ConfigError, match=r"modalities.few: 'evenly' is .*three"):
        load_config(config)
