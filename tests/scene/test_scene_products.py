"""Products in their published layouts: read as they are, pixel by pixel what GDAL and h5py read of them."""

import re
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pyogrio.raw
import pytest
import rasterio
import shapely
from affine import Affine
from product_files import (
    BAD,
    ENMAP,
    NORTH,
    UTM,
    WAVELENGTHS,
    WEST,
    write_emit,
    write_enmap,
    write_neon,
    write_prisma,
    write_sentinel2,
    write_tiff,
)
from rasterio.windows import Window

from mpmm.errors import SceneError
from mpmm.scene import Labels, Modality, Scene, scene_files
from mpmm.scene.products import open_product, product_names


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

    def test_a_moved_scene_keeps_its_cache(self, make, folder, tmp_path, tmp_path_factory):
        scene = make("enmap", ("L2A",))
        values = aligned(scene).values
        elsewhere = tmp_path_factory.mktemp("elsewhere") / "scene"
        shutil.copytree(tmp_path, elsewhere, copy_function=shutil.copy2)
        moved = replace(scene, folder=elsewhere)
        assert moved.inspect().to_write_bytes == 0
        np.testing.assert_array_equal(aligned(moved).values, values)

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

    def test_as_another_product_it_is_none_whatever_is_asked_of_its_quality(self, make, folder):
        """It was said to have no quality layers, which it has."""
        with pytest.raises(SceneError, match=r"hsi: \S+L2A is a folder; expected the product's file"):
            aligned(make("prisma", ("L2A",), quality="drop"))

    @pytest.mark.parametrize("share", [0.1, 0.9])
    def test_an_image_that_is_cut_short_is_refused(self, make, folder, share):
        image = folder / f"{ENMAP}-SPECTRAL_IMAGE.TIF"
        content = image.read_bytes()
        image.write_bytes(content[: int(share * len(content))])
        with pytest.raises(SceneError, match=r"hsi: .*SPECTRAL_IMAGE|hsi: .*cannot be read as EnMAP"):
            aligned(make("enmap", ("L2A",)))


class TestEmit:
    @pytest.fixture
    def make_emit(self, tmp_path):
        """A scene whose labels have the pixels of the granule's look-up table."""
        path = write_emit(tmp_path / "EMIT_L2A_RFL_001_20230316T045211_2307503_006.nc")

        def make_scene(**modality):
            transform, ids = Affine.from_gdal(13.0, 5e-4, 0, 52.0, 0, -5e-4), np.ones((1, 20, 24), np.uint8)
            write_tiff(tmp_path / "labels.tif", ids, 0, crs="EPSG:4326", transform=transform)
            return Scene(
                tmp_path, Labels("labels.tif"), (Modality("hsi", (path.name,), product="emit", **modality),)
            )

        return path, make_scene

    def on_ground(self, path, bands):
        """Values and presence, pixel by pixel through the table."""
        with h5py.File(path) as file:
            cube, columns, rows = (
                file[name][:] for name in ("reflectance", "location/glt_x", "location/glt_y")
            )
        values, present = np.zeros((*rows.shape, len(bands)), np.float32), rows > 0
        for i, j in np.argwhere(present):
            values[i, j] = cube[rows[i, j] - 1, columns[i, j] - 1, bands]
        present &= values[..., 0] != -9999
        return np.where(present[..., None], values, 0), present

    def test_pixels_are_brought_onto_the_ground_by_the_table(self, make_emit):
        path, make_scene = make_emit
        hsi = aligned(make_scene())
        values, present = self.on_ground(path, [0, 1, 3, 4])
        assert 0.3 < present.mean() < 0.95
        assert (values[present].min(axis=0) >= 0).all()
        np.testing.assert_array_equal(hsi.present, present)
        np.testing.assert_array_equal(hsi.values, values)

    def test_small_blocks_of_the_orbit_give_the_same(self, make_emit, monkeypatch):
        path, make_scene = make_emit
        monkeypatch.setattr("mpmm.scene.products.emit._BLOCK_BYTES", 1)
        np.testing.assert_array_equal(
            aligned(make_scene(bands=(4, 2))).values, self.on_ground(path, [3, 1])[0]
        )

    def test_wavelengths_and_bad_bands_are_the_files(self, make_emit):
        _, make_scene = make_emit
        assert [band.wavelength for band in bands_of(make_scene())] == [381.0, 552.5, 1655.0, 2493.0]
        assert make_scene().inspect().modalities[0].bad_bands == (3,)

    def test_quality_layers_in_another_file_are_not_read(self, make_emit):
        with pytest.raises(SceneError, match="has no quality layers that this preset reads"):
            aligned(make_emit[1](quality="drop"))

    def test_a_table_that_points_beside_the_orbit_is_one_clear_error(self, make_emit):
        path, make_scene = make_emit
        with h5py.File(path, "a") as file:
            file["location/glt_y"][10, 10] = 31
        with pytest.raises(SceneError, match=r"hsi: \S+006.nc cannot be read at row"):
            aligned(make_scene())


class TestPrisma:
    FIELDS = "HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields"

    def reflectance(self, path):
        """Good bands by wavelength: 700, 950, 960, 1600, 2400 nm; and where there is any."""
        with h5py.File(path) as file:
            vnir, swir = (file[f"{self.FIELDS}/{name}_Cube"][:] for name in ("VNIR", "SWIR"))
        scaled = [vnir * (0.9 / 65535), 0.01 + swir * (1.89 / 65535)]
        bands = [scaled[cube][:, band] for cube, band in ((0, 1), (1, 2), (0, 0), (1, 1), (1, 0))]
        return np.stack(bands, axis=2), vnir.any(axis=1) & swir.any(axis=1)

    @pytest.mark.parametrize("corners", ["centres", "edges"])
    def test_values_go_from_the_least_to_the_largest_reflectance(self, make, tmp_path, corners):
        path = write_prisma(tmp_path / "PRS_L2D_STD.he5", corners=corners)
        scene = make("prisma", (path.name,))
        hsi = aligned(scene)
        values, present = self.reflectance(path)
        np.testing.assert_array_equal(hsi.present, present)
        assert not present[-1].any()
        # one band without reflectance is no missing pixel
        assert present[3, 4]
        np.testing.assert_allclose(hsi.values[present], values[present], rtol=1e-6, atol=1e-9)

    def test_bands_are_in_the_order_of_their_wavelengths(self, make, tmp_path):
        write_prisma(tmp_path / "PRS_L2D_STD.he5")
        scene = make("prisma", ("PRS_L2D_STD.he5",))
        bands = bands_of(scene)
        assert [band.wavelength for band in bands] == [700.0, 950.0, 960.0, 1600.0, 2400.0]
        assert [band.name for band in bands] == ["VNIR 2", "SWIR 3", "VNIR 1", "SWIR 2", "SWIR 1"]
        assert {band.width for band in bands} == {10.5}
        assert scene.inspect().modalities[0].bad_bands == (6, 7)


class TestNeon:
    def test_values_windows_and_position_are_the_files(self, make, tmp_path):
        path = write_neon(tmp_path / "NEON_D02_SERC_DP3_368000_4306000_reflectance.h5")
        scene = make("neon", (path.name,), pixel=1.0)
        hsi = aligned(scene)
        with h5py.File(path) as file:
            counts = file["SERC/Reflectance/Reflectance_Data"][:][..., [0, 1, 3, 5]]
        present = counts[..., 0] != -9999
        assert not present[0, 0]
        np.testing.assert_array_equal(hsi.present, present)
        np.testing.assert_allclose(hsi.values[present], counts[present] / 10000, rtol=1e-6)
        assert [band.wavelength for band in bands_of(scene)] == [382.0, 550.0, 1600.0, 2500.0]
        assert scene.inspect().modalities[0].bad_bands == (3, 5)

    def test_clouds_and_shadows_are_missing_by_choice(self, make, tmp_path):
        path = write_neon(tmp_path / "a.h5")
        hsi = aligned(make("neon", ("a.h5",), pixel=1.0, quality="drop"))
        # clear land, saturated, snow; haze and glint; water; bright; the 24th column begins anew
        kept = [5, 6, 7, 11, 12, 13, 14, 17, 20]
        np.testing.assert_array_equal(np.flatnonzero(hsi.present.any(axis=0)), kept)
        assert hsi.present[2:, kept].all()
        with h5py.File(path, "a") as file:
            del file["SERC/Reflectance/Metadata/Ancillary_Imagery"]
        with pytest.raises(
            SceneError, match=r"a\.h5 cannot be read as NEON reflectance: .*no Metadata/Anc\S+Haze"
        ):
            aligned(make("neon", ("a.h5",), pixel=1.0, quality="drop"))

    def test_tiles_are_one_mosaic(self, make, tmp_path):
        for name, shift in (("a.h5", 0), ("b.h5", 24)):
            with h5py.File(write_neon(tmp_path / name), "a") as file:
                info = file["SERC/Reflectance/Metadata/Coordinate_System/Map_Info"]
                info[()] = info[()].decode().replace(str(WEST), str(WEST + shift))
        hsi = aligned(make("neon", ("a.h5", "b.h5"), (20, 48), pixel=1.0))
        np.testing.assert_array_equal(hsi.values[:, :24], hsi.values[:, 24:])
        assert hsi.present[5:].all()


class TestSentinel2:
    NAME = "S2A_MSIL2A_20230115T101021_N0509_R022_T33UUU_20230115T120000.SAFE"
    # id, pixel
    BANDS = (
        *(("B02", 1, 10), ("B03", 2, 10), ("B04", 3, 10), ("B08", 7, 10)),
        *(("B05", 4, 20), ("B06", 5, 20), ("B07", 6, 20), ("B8A", 8, 20), ("B11", 11, 20), ("B12", 12, 20)),
        *(("B01", 0, 60), ("B09", 9, 60)),
    )

    @pytest.fixture
    def folder(self, tmp_path):
        return write_sentinel2(tmp_path / self.NAME)

    @pytest.fixture
    def make_msi(self, make):
        def make_scene(name=self.NAME, **modality):
            return make("sentinel2", (name,), (72, 108), 10.0, **modality)

        return make_scene

    def counts(self, folder, band, pixel):
        (file,) = folder.rglob(f"*_{band}_{pixel}m.jp2")
        with rasterio.open(file) as dataset:
            return dataset.read(1)

    def on_10_metres(self, folder):
        """Reflectance (rows, columns, bands), each pixel of 20 and 60 m as often as it has pixels of 10 m."""
        bands = [
            ((self.counts(folder, band, pixel) - 1000.0 - number) / 10000)
            .repeat(pixel // 10, axis=0)
            .repeat(pixel // 10, axis=1)
            for band, number, pixel in self.BANDS
        ]
        return np.stack(bands, axis=2)

    def test_values_are_the_counts_with_offset_and_quantification(self, make_msi, folder):
        hsi = aligned(make_msi(resampling="nearest"))
        present = self.counts(folder, "B02", 10) != 0
        np.testing.assert_array_equal(hsi.present, present)
        assert (~present).sum() == 36
        expected = self.on_10_metres(folder)[present]
        np.testing.assert_allclose(hsi.values[present], expected, rtol=1e-6, atol=1e-7)

    def test_products_before_baseline_4_have_no_offset(self, make_msi, folder):
        metadata = folder / "MTD_MSIL2A.xml"
        metadata.write_text(re.sub("<BOA_ADD_OFFSET .*?/BOA_ADD_OFFSET>", "", metadata.read_text()))
        values = aligned(make_msi(bands=(1, 4))).values
        np.testing.assert_allclose(values[..., 1], self.counts(folder, "B08", 10) / 10000, rtol=1e-6)

    def test_bands_are_by_pixel_size_with_their_names_and_wavelengths(self, make_msi, folder):
        bands = bands_of(make_msi())
        assert [band.name for band in bands] == [name for name, _, _ in self.BANDS]
        assert [band.wavelength for band in bands] == [410.5 + 100 * number for _, number, _ in self.BANDS]
        assert make_msi().inspect().modalities[0].bands_in_file == 12
        assert aligned(make_msi(bands=(3, 11, 1))).band_names == ("B04", "B01", "B02")

    def test_clouds_of_the_scene_classification_are_missing_by_choice(self, make_msi, folder):
        hsi = aligned(make_msi(resampling="nearest", quality="drop"))
        present = self.counts(folder, "B02", 10) != 0
        # the cloud of 20 m hides the pixel of 60 m that it is a part of; water is none
        present[18:24, 36:42] = False
        np.testing.assert_array_equal(hsi.present, present)
        fine = aligned(make_msi(bands=(1, 2), quality="drop"))
        present[18:24, 36:42] = True
        present[20:22, 40:42] = False
        np.testing.assert_array_equal(fine.present, present)

    def test_windows_that_begin_anywhere_have_the_same_clouds(self, folder):
        rows, columns = np.indices((72, 108))
        clear = (rows // 2 != 10) | (columns // 2 != 20)
        (name, *_) = product_names("sentinel2", folder, "drop")
        with open_product(name, "hsi") as dataset:
            mask = dataset.read_masks([1, 2], Window(39, 19, 5, 4))
        np.testing.assert_array_equal(mask[1] != 0, clear[19:23, 39:44])

    def test_a_zip_archive_is_the_same_product(self, make_msi, folder, tmp_path):
        shutil.make_archive(str(tmp_path / "S2"), "zip", tmp_path, self.NAME)
        np.testing.assert_array_equal(aligned(make_msi("S2.zip")).values, aligned(make_msi()).values)

    def test_vector_labels_are_burned_onto_the_pixels_of_10_metres(self, folder, tmp_path):
        scene = Scene(tmp_path, Labels("truth.gpkg"), (Modality("msi", (self.NAME,), product="sentinel2"),))
        geometry = shapely.to_wkb(np.array([shapely.box(WEST, NORTH - 50, WEST + 30, NORTH)], object))
        columns, options = [np.array(["field"], object)], {"geometry_type": "Polygon", "crs": UTM}
        pyogrio.raw.write(tmp_path / "truth.gpkg", geometry, columns, ["cover"], **options)
        labels = scene.read_labels()
        assert labels.ids.shape == (72, 108)
        assert (labels.ids == 1).sum() == 15

    @pytest.mark.parametrize("missing", ["_B11_20m.jp2", "_SCL_20m.jp2", "MTD_MSIL2A.xml"])
    def test_a_missing_file_is_named(self, make_msi, folder, missing):
        (file,) = folder.rglob(f"*{missing}")
        file.unlink()
        with pytest.raises(SceneError, match=r"hsi: \S+SAFE has no file of its (band B11|scene|metadata)"):
            aligned(make_msi(quality="drop"))


@pytest.mark.parametrize(
    ("product", "write"), [("emit", write_emit), ("prisma", write_prisma), ("neon", write_neon)]
)
@pytest.mark.parametrize("spoil", [lambda c: c[: len(c) // 2], lambda c: b"", lambda c: b"CDF\x01" + c[4:]])
def test_a_damaged_file_is_one_clear_error(make, tmp_path, product, write, spoil):
    path = write(tmp_path / "product.h5")
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(SceneError, match=r"hsi: \S+product.h5 cannot be read as \w+"):
        aligned(make(product, ("product.h5",)))


@pytest.mark.parametrize("product", ["emit", "prisma", "neon"])
def test_another_hdf5_file_is_no_product(make, tmp_path, product):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["cube"] = np.zeros((3, 3))
    with pytest.raises(SceneError, match=r"hsi: \S+other.h5 cannot be read as \w+"):
        aligned(make(product, ("other.h5",)))
    (tmp_path / "folder").mkdir()
    with pytest.raises(SceneError, match=r"hsi: \S+folder is a folder; expected the product's file"):
        aligned(make(product, ("folder",)))


def test_quality_is_of_products():
    with pytest.raises(SceneError, match="quality is of products, and product is not given"):
        Modality("hsi", ("hsi.tif",), quality="drop")
