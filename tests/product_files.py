"""Tiny products in their published layouts, written with GDAL and h5py for tests.

from product_files import write_enmap
folder = write_enmap(tmp_path / "L2A")
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import rasterio
from affine import Affine

# of all products: where they lie, in metres
UTM, WEST, NORTH = "EPSG:32633", 360000.0, 5800020.0
ENMAP = "ENMAP01-____L2A-DT0000001867_20220724T104526Z_008_V010302_20230628T165614Z"
# 8 of EnMAP's 224 bands; the fifth was not expected to give anything
WAVELENGTHS = (418.24, 550.69, 672.45, 851.45, 1390.48, 1610.02, 2005.21, 2445.3)
BAD = 5
# JPEG 2000 that keeps every bit
_LOSSLESS = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"}


def counts(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Reflectance in ten thousandths, (bands, rows, columns) int16, without data in a corner."""
    values = np.random.default_rng(seed).integers(0, 10000, shape).astype(np.int16)
    values[:, :2, :3] = -32768
    return values


def write_tiff(path: Path, values: np.ndarray, pixel: float, nodata: float | None = None, **options) -> Path:
    """Write (bands, rows, columns) from the north-west corner of all products on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands, rows, columns = values.shape
    profile = {
        "driver": "GTiff",
        "crs": UTM,
        "transform": Affine(pixel, 0, WEST, 0, -pixel, NORTH),
        **options,
    }
    size = {"count": bands, "height": rows, "width": columns, "dtype": values.dtype}
    with rasterio.open(path, "w", nodata=nodata, **size, **profile) as dataset:
        dataset.write(values)
    return path


def write_enmap(folder: Path, shape: tuple[int, int] = (20, 24), level: str = "L2A") -> Path:
    """Write an EnMAP product of 8 bands: spectral image, metadata, quality layers."""
    write_tiff(folder / f"{ENMAP}-SPECTRAL_IMAGE.TIF", counts((8, *shape)), 30.0, -32768)
    for layer, row in (("CLOUD", 10), ("CLOUDSHADOW", 11), ("CIRRUS", 12), ("SNOW", 13)):
        mask = np.zeros((1, *shape), np.uint8)
        mask[0, row] = 1
        write_tiff(folder / f"{ENMAP}-QL_QUALITY_{layer}.TIF", mask, 30.0)
    bands = "".join(
        f'<bandID number="{i}"><wavelengthCenterOfBand>{w}</wavelengthCenterOfBand><FWHMOfBand>{6 + i}.5'
        f"</FWHMOfBand><GainOfBand>0.0001</GainOfBand><OffsetOfBand>0</OffsetOfBand></bandID>"
        for i, w in enumerate(WAVELENGTHS, start=1)
    )
    (folder / f"{ENMAP}-METADATA.XML").write_text(
        f'<?xml version="1.0" encoding="UTF-8"?><level_X><base><level>{level}</level></base><specific>'
        f"<backgroundValue>-32768</backgroundValue><bandCharacterisation>{bands}</bandCharacterisation>"
        "<vnirProductQuality><expectedChannelsList>1,2,3,4</expectedChannelsList></vnirProductQuality>"
        "<swirProductQuality><expectedChannelsList>6,7,8</expectedChannelsList></swirProductQuality>"
        "</specific></level_X>"
    )
    return folder


def write_emit(path: Path, shape: tuple[int, int] = (20, 24)) -> Path:
    """Write an EMIT L2A granule of 5 bands along the orbit, turned on the ground by its look-up table."""
    down, across = 30, 16
    rows, columns = np.indices(shape)
    # orbit coordinates of each ground pixel: a turn and a shift; what lies beside the orbit is 0
    glt_x, glt_y = columns // 2 + rows // 3 + 1, rows + columns // 4 - 2
    beside = (glt_x > across) | (glt_y < 1) | (glt_y > down)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.attrs["geotransform"] = np.array([13.0, 5e-4, 0.0, 52.0, 0.0, -5e-4])
        file.attrs["spatial_ref"] = rasterio.crs.CRS.from_epsg(4326).to_wkt()
        values = np.random.default_rng(3).random((down, across, 5), np.float32)
        values[4, 5] = -9999.0
        values[..., 2] = -0.01
        cube = file.create_dataset("reflectance", data=values, chunks=(8, 8, 2), compression="gzip")
        cube.attrs["_FillValue"] = np.array([-9999.0], np.float32)
        for name, table in (("glt_x", glt_x), ("glt_y", glt_y)):
            file[f"location/{name}"] = np.where(beside, 0, table).astype(np.int32)
        parameters = file.create_group("sensor_band_parameters")
        parameters["wavelengths"] = np.array([381.0, 552.5, 1350.2, 1655.0, 2493.0], np.float32)
        parameters["fwhm"] = np.full(5, 8.5, np.float32)
        parameters["good_wavelengths"] = np.array([1, 1, 0, 1, 1], np.uint8)
    return path


def write_prisma(path: Path, shape: tuple[int, int] = (20, 24), corners: str = "centres") -> Path:
    """Write a PRISMA L2D product of 3 + 4 bands, wavelengths falling as in the published files."""
    rows, columns = shape
    inset = 15.0 if corners == "centres" else 0.0
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.attrs["Epsg_Code"] = np.uint32(32633)
        file.attrs["Product_ULcorner_easting"] = WEST + inset
        file.attrs["Product_ULcorner_northing"] = NORTH - inset
        file.attrs["Product_LRcorner_easting"] = WEST + 30 * columns - inset
        file.attrs["Product_LRcorner_northing"] = NORTH - 30 * rows + inset
        lists = {"Vnir": [960.0, 700.0, 0.0], "Swir": [2400.0, 1600.0, 950.0, 0.0]}
        for seed, (name, centres) in enumerate(lists.items()):
            values = np.random.default_rng(seed).integers(1, 65536, (rows, len(centres), columns), np.uint16)
            # the last row is beside the strip; a single 0 elsewhere is a reflectance
            values[-1] = 0
            values[3, 0, 4] = 0
            file[f"HDFEOS/SWATHS/PRS_L2D_HCO/Data Fields/{name.upper()}_Cube"] = values
            file.attrs[f"List_Cw_{name}"] = np.array(centres, np.float32)
            file.attrs[f"List_Fwhm_{name}"] = np.where(np.array(centres) > 0, 10.5, 0).astype(np.float32)
            file.attrs[f"List_Cw_{name}_Flags"] = np.array(np.array(centres) > 0, np.int32)
            file.attrs[f"L2Scale{name}Min"] = np.float32(0.01 * seed)
            file.attrs[f"L2Scale{name}Max"] = np.float32(0.9 + seed)
    return path


def write_neon(path: Path, shape: tuple[int, int] = (20, 24)) -> Path:
    """Write a NEON reflectance tile of 6 bands and 1 m pixels, two of them in windows of water vapour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        group = file.create_group("SERC/Reflectance")
        group.attrs["Band_Window_1_Nanometers"] = np.array([1340, 1445])
        group.attrs["Band_Window_2_Nanometers"] = np.array([1790, 1955])
        values = np.random.default_rng(5).integers(0, 10000, (*shape, 6)).astype(np.int16)
        values[:2, :3] = -9999
        cube = group.create_dataset("Reflectance_Data", data=values, chunks=(5, 5, 6), compression="gzip")
        cube.attrs["Scale_Factor"], cube.attrs["Data_Ignore_Value"] = 10000.0, -9999.0
        system = group.create_group("Metadata/Coordinate_System")
        system["EPSG Code"] = "32633"
        system["Map_Info"] = (
            f"UTM, 1.000, 1.000, {WEST}, {NORTH}, 1.0, 1.0, 33, North, WGS-84, units=Meters, 0"
        )
        group["Metadata/Spectral_Data/Wavelength"] = np.array([382.0, 550.0, 1400.0, 1600.0, 1900.0, 2500.0])
        group["Metadata/Spectral_Data/FWHM"] = np.full(6, 5.8)
        # every class of ATCOR's, one a column
        classes = np.arange(shape[1], dtype=np.uint8) % 23
        group["Metadata/Ancillary_Imagery/Haze_Cloud_Water_Map"] = np.tile(classes, (shape[0], 1))
    return path


def write_sentinel2(folder: Path, offset: int = -1000) -> Path:
    """Write a SAFE folder of 12 x 18 pixels of 60 m, with its bands of all sizes and scene classification."""
    names = {
        10: ("B02", "B03", "B04", "B08"),
        20: ("B05", "B06", "B07", "B8A", "B11", "B12"),
        60: ("B01", "B09"),
    }
    images = folder / "GRANULE" / "L2A_T33UUU_A000001_20230115T101021" / "IMG_DATA"
    for pixel, bands in names.items():
        shape = (1, 12 * 60 // pixel, 18 * 60 // pixel)
        for seed, band in enumerate(bands):
            values = np.random.default_rng(seed + pixel).integers(1000, 9000, shape).astype(np.uint16)
            # the first 60 m have no data
            values[:, : 60 // pixel, : 60 // pixel] = 0
            write_tiff(
                images / f"R{pixel}m" / f"T33UUU_20230115T101021_{band}_{pixel}m.jp2",
                values,
                pixel,
                **_LOSSLESS,
            )
    classes = np.full((1, 36, 54), 4, np.uint8)
    classes[0, 10, 20], classes[0, 11, 21] = 9, 6
    write_tiff(images / "R20m" / "T33UUU_20230115T101021_SCL_20m.jp2", classes, 20, **_LOSSLESS)
    offsets = "".join(f'<BOA_ADD_OFFSET band_id="{i}">{offset - i}</BOA_ADD_OFFSET>' for i in range(13))
    lengths = "".join(
        f'<Spectral_Information bandId="{i}" physicalBand="B{i}"><Wavelength>'
        f'<MIN unit="nm">{400 + 100 * i}</MIN>'
        f'<MAX unit="nm">{420 + 100 * i}</MAX><CENTRAL unit="nm">{410.5 + 100 * i}</CENTRAL></Wavelength>'
        "</Spectral_Information>"
        for i in range(13)
    )
    (folder / "MTD_MSIL2A.xml").write_text(
        '<?xml version="1.0"?><n1:Level-2A_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/L2A.xsd">'
        "<n1:General_Info><Product_Image_Characteristics><QUANTIFICATION_VALUES_LIST>"
        '<BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE></QUANTIFICATION_VALUES_LIST>'
        f"<BOA_ADD_OFFSET_VALUES_LIST>{offsets}</BOA_ADD_OFFSET_VALUES_LIST><Spectral_Information_List>{lengths}"
        "</Spectral_Information_List></Product_Image_Characteristics></n1:General_Info></n1:Level-2A_User_Product>"
    )
    return folder
