"""The real pair of sensors: what one sees, the other sees at the same place."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from mpmm.scene import Labels, Modality, Scene

HYSU = Path(__file__).resolve().parents[3] / "shared" / "data" / "dlr_hysu"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not HYSU.is_dir(), reason="needs the HySU scene in ../shared/data"),
]

SHIFTED = "derived/DLR_HySU_3K_shifted.tif"
AS_DELIVERED = "3K_RGB/DLR_HySU_3K.tiff"


@pytest.fixture
def hysu(tmp_path):
    def make(rgb):
        modalities = (Modality("hsi", ("HySpex/full_hs/Full.tif",)), Modality("rgb", (rgb,)))
        return Scene(HYSU, Labels("derived/hysu_landcover_photointerp.tif"), modalities, tmp_path)

    return make


def luminance_correlation(aligned):
    """Pearson's r of the RGB's luma and one synthesised from the visible bands, where both have data."""
    hsi, rgb = aligned.modalities["hsi"], aligned.modalities["rgb"]
    wavelengths = np.linspace(417.40, 902.79, hsi.values.shape[2])
    weights = np.zeros_like(wavelengths)
    # red, green, blue as bell curves, weighed as Rec. 601 does
    for share, centre, width in [(0.299, 600, 35), (0.587, 550, 35), (0.114, 460, 25)]:
        bell = np.exp(-0.5 * ((wavelengths - centre) / width) ** 2)
        weights += share * bell / bell.sum()
    both = hsi.present & rgb.present
    ours = hsi.values[both] @ weights
    theirs = rgb.values[both] @ np.array([0.299, 0.587, 0.114])
    return float(np.corrcoef(ours, theirs)[0, 1])


def test_sensors_agree_where_they_are_registered_and_less_where_not(hysu):
    registered = luminance_correlation(hysu(SHIFTED).align())
    delivered = luminance_correlation(hysu(AS_DELIVERED).align())
    assert registered > 0.9
    assert delivered < registered - 0.1


def test_the_report_on_a_real_scene(hysu):
    report = hysu(SHIFTED).inspect()
    hsi, rgb = report.modalities
    assert (hsi.resampling, rgb.resampling) == ("bilinear", "average")
    assert hsi.value_range == (93, 8141)
    assert hsi.missing == 0
    assert rgb.factor == pytest.approx((5.3375, 5.3375))
    # RGB covers 7452 of the 10578 pixels, in part those of its border
    assert 1 - 7452 / 10578 < rgb.missing < 0.33
    assert report.labels.counts == {1: 39, 2: 39, 3: 36, 4: 49, 5: 13, 6: 3147, 7: 400, 8: 496, 9: 920}
    assert report.labels.unlabelled == 5439


def test_hsi_on_its_own_grid_is_unchanged(hysu):
    with rasterio.open(HYSU / "HySpex/full_hs/Full.tif") as dataset:
        cube = dataset.read()
    aligned = hysu(SHIFTED).align(["hsi"]).modalities["hsi"]
    np.testing.assert_array_equal(aligned.values, cube.transpose(1, 2, 0))
