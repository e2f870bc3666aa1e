"""Products in their published layouts: read as they are, pixel by pixel what GDAL and h5py read of them."""

import shutil

import numpy as np
import pytest
import rasterio
from product_files import BAD, ENMAP, WAVELENGTHS, write_enmap, write_tiff

from mpmm.errors import SceneError
from mpmm.scene import Labels, Modality, Scene, scene_files


@pytest.fixture
def make(tmp_path):
    def make_scene(product, files, shape=(20, 24), pixel=30.0, **modality):
        write_tiff(tmp_path / "labels.tif", np.ones((1, *shape), np.uint8), pixel)
        return Scene(tmp_path, Labels("labels.tif"), (Modality("hsi", files, product=product, **modality),))

    return make_scene


def aligned(scene):
    return scene.align().modalities["hsi"]


def bands_of(scene):
    return scene.record_of("hsi", scene.grid()).bands


class TestEnmap:
    @pytest.fixture
    def folder(self, tmp_path):
        return write_enmap(tmp_path / "L2A")

    def reflectance(self, folder):
        """Of the good bands, (rows, columns, bands), and where there is any, by rasterio."""
        with rasterio.open(folder / f"{ENMAP}-SPECTRAL_IMAGE.TIF") as dataset:
            values = np.delete(dataset.read(), BAD - 1, axis=0)
        return np.float32(values * 1e-4).transpose(1, 2, 0), values[0] != -32768

    def test_values_are_the_files_times_the_gain(self, make, folder):
        hsi = aligned(make("enmap", ("L2A",)))
        values, present = self.reflectance(folder)
        np.testing.assert_array_equal(hsi.present, present)
        np.testing.assert_array_equal(hsi.values[present], values[present])
        assert not present[0, 0]

    def test_wavelengths_and_bad_bands_are_the_metadatas(self, make, folder):
        scene = make("enmap", ("L2A",))
        good = [w for i, w in enumerate(WAVELENGTHS, start=1) if i != BAD]
        assert [band.wavelength for band in bands_of(scene)] == good
        assert [band.width for band in bands_of(scene)][:2] == [7.5, 8.5]
        (report,) = scene.inspect().modalities
        assert report.bad_bands == (BAD,)
        assert report.bands_in_file == 8

    def test_clouds_shadows_and_cirrus_are_missing_by_choice(self, make, folder):
        hsi = aligned(make("enmap", ("L2A",), quality="drop"))
        _, present = self.reflectance(folder)
        present[10:13] = False
        np.testing.assert_array_equal(hsi.present, present)

    def test_a_zip_archive_and_a_file_of_the_folder_are_the_same_product(self, make, folder, tmp_path):
        values = aligned(make("enmap", ("L2A",), quality="drop")).values
        shutil.make_archive(str(tmp_path / "L2A"), "zip", tmp_path, "L2A")
        for name in (f"L2A/{ENMAP}-METADATA.XML", "L2A.zip"):
            np.testing.assert_array_equal(aligned(make("enmap", (name,), quality="drop")).values, values)

    def test_its_files_are_inputs_and_a_changed_one_is_read_again(self, make, folder):
        scene = make("enmap", ("L2A",))
        files = {file.name for file in scene_files(scene)}
        assert {f"{ENMAP}-SPECTRAL_IMAGE.TIF", f"{ENMAP}-METADATA.XML"} <= files
        first = aligned(scene).values.max()
        metadata = folder / f"{ENMAP}-METADATA.XML"
        metadata.write_text(metadata.read_text().replace(">0.0001<", ">0.0002<"))
        assert aligned(scene).values.max() == pytest.approx(2 * first)

    @pytest.mark.parametrize(
        ("spoil", "says"),
        [
            (lambda folder: (folder / f"{ENMAP}-METADATA.XML").unlink(), "has no file of its metadata"),
            (
                lambda folder: (folder / f"{ENMAP}-SPECTRAL_IMAGE.TIF").unlink(),
                "no file of its spectral image",
            ),
            (
                lambda folder: (folder / f"{ENMAP}-METADATA.XML").write_text("<level_X>"),
                "cannot be read as EnMAP",
            ),
            (lambda folder: (folder / f"{ENMAP}-METADATA.XML").write_text("<level_X/>"), "describes 0 bands"),
            (lambda folder: write_enmap(folder, level="L1C"), "level L1C; expected L2A"),
            (lambda folder: [q.unlink() for q in folder.glob("*QUALITY*")], "has no quality layers"),
        ],
    )
    def test_what_is_no_product_is_one_clear_error(self, make, folder, spoil, says):
        spoil(folder)
        with pytest.raises(SceneError, match=rf"hsi: \S+L2A.*{says}") as caught:
            aligned(make("enmap", ("L2A",), quality="drop"))
        assert caught.value.hint

    @pytest.mark.parametrize("share", [0.1, 0.9])
    def test_an_image_that_is_cut_short_is_refused(self, make, folder, share):
        image = folder / f"{ENMAP}-SPECTRAL_IMAGE.TIF"
        content = image.read_bytes()
        image.write_bytes(content[: int(share * len(content))])
        with pytest.raises(SceneError, match=r"hsi: .*SPECTRAL_IMAGE|hsi: .*cannot be read as EnMAP"):
            aligned(make("enmap", ("L2A",)))


def test_quality_is_of_products():
    with pytest.raises(SceneError, match="quality is of products, and product is not given"):
        Modality("hsi", ("hsi.tif",), quality="drop")
