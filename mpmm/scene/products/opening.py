"""Which products there are, and how one is named among rasters: ``ENMAP:"folder":keep``."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, get_args
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

from rasterio.errors import RasterioError

from mpmm.errors import SceneError
from mpmm.scene.products.dataset import DAMAGED, ProductDataset, ProductRaster
from mpmm.scene.products.emit import open_emit
from mpmm.scene.products.enmap import open_enmap
from mpmm.scene.products.neon import open_neon
from mpmm.scene.products.prisma import open_prisma

Product = Literal["enmap", "emit", "prisma", "neon"]
# pixels that a product's own quality layers call cloudy and the like
Quality = Literal["keep", "drop"]
Opener = Callable[[Path, bool, ExitStack], ProductRaster]

_OPENERS: dict[str, Opener] = {
    "enmap": open_enmap,
    "emit": open_emit,
    "prisma": open_prisma,
    "neon": open_neon,
}
_TITLES = {"enmap": "EnMAP L2A", "emit": "EMIT L2A", "prisma": "PRISMA L2D", "neon": "NEON reflectance"}
_NAME = re.compile(rf'({"|".join(get_args(Product)).upper()}):"(.+)":(keep|drop)')


def product_name(product: Product, path: Path, quality: Quality) -> Path:
    """The name by which a product's raster is opened."""
    return Path(f'{product.upper()}:"{path.absolute()}":{quality}')


def is_product(path: Path) -> bool:
    """Whether a name is that of a product's raster."""
    return _NAME.fullmatch(str(path)) is not None


def open_product(path: Path, who: str) -> ProductDataset:
    """Open a product's raster by its name.

    Raises
    ------
    SceneError
        It is not such a product, lacks a file, or is damaged.
    """
    name = _NAME.fullmatch(str(path))
    assert name is not None, "the caller has asked"
    product, file, quality = name[1].lower(), Path(name[2]), name[3]
    with ExitStack() as opened:
        try:
            raster = _OPENERS[product](file, quality == "drop", opened)
        except SceneError as error:
            raise SceneError(f"{who}: {error.problem}", error.hint) from error
        except (*DAMAGED, RasterioError, ParseError, BadZipFile) as error:
            raise SceneError(
                f"{who}: {file} cannot be read as {_TITLES[product]}: {error}",
                "name the product as it was delivered, unpacked or not; or copy it again",
            ) from error
        return ProductDataset(f"{who}: {file}", _TITLES[product], raster, opened.pop_all())
