"""Which products there are, and how one is named among rasters: ``ENMAP:"folder":keep``."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mpmm.errors import SceneError

if TYPE_CHECKING:
    from mpmm.scene.products.dataset import ProductDataset, ProductRaster

Product = Literal["enmap", "emit", "prisma", "neon", "sentinel2"]
# pixels that a product's own quality layers call cloudy and the like
Quality = Literal["keep", "drop"]
Opener = Callable[[Path, bool, ExitStack], "ProductRaster"]


def _opener(product: str, *chosen: int) -> Opener:
    """Return what opens a product; its module is loaded by that alone, as few runs read any product.

    Parameters
    ----------
    product
        The module, whose function ``open_...`` is named after it.
    chosen
        Which of the product's rasters, where it has several: what the function takes before all else.
    """

    def open_file(path: Path, drop: bool, stack: ExitStack) -> ProductRaster:
        """Open the product by the function that its module is named after."""
        loaded = import_module(f"mpmm.scene.products.{product}")
        opened: ProductRaster = getattr(loaded, f"open_{product}")(*chosen, path, drop, stack)
        return opened

    return open_file


# by product, and within it by raster, where bands differ in the size of their pixels, in metres
_OPENERS: dict[str, dict[str, Opener]] = {
    "enmap": {"ENMAP": _opener("enmap")},
    "emit": {"EMIT": _opener("emit")},
    "prisma": {"PRISMA": _opener("prisma")},
    "neon": {"NEON": _opener("neon")},
    "sentinel2": {f"SENTINEL2_{pixel}": _opener("sentinel2", pixel) for pixel in (10, 20, 60)},
}
_TITLES = {
    "enmap": "EnMAP L2A",
    "emit": "EMIT L2A",
    "prisma": "PRISMA L2D",
    "neon": "NEON reflectance",
    "sentinel2": "Sentinel-2 L2A",
}
_RASTERS = {raster: product for product, rasters in _OPENERS.items() for raster in rasters}
_NAME = re.compile(rf'({"|".join(_RASTERS)}):"(.+)":(keep|drop)')


def product_names(product: Product, path: Path, quality: Quality) -> tuple[Path, ...]:
    """The names by which a product's rasters are opened, whose bands follow each other."""
    return tuple(Path(f'{raster}:"{path.absolute()}":{quality}') for raster in _OPENERS[product])


def rasters_of(product: Product | None) -> int:
    """How many rasters a product has, of different pixel sizes; a plain file is one."""
    return 1 if product is None else len(_OPENERS[product])


def title_of(path: Path) -> str:
    """What lists call a raster: its file's name, and of a product which of its rasters it is."""
    name = _NAME.fullmatch(str(path))
    return path.name if name is None else f"{Path(name[2]).name} ({name[1]})"


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
    # as the products' own modules: not before one is opened
    from mpmm.scene.products.dataset import UNREADABLE, ProductDataset

    name = _NAME.fullmatch(str(path))
    assert name is not None, "the caller has asked"
    product, file, drop = _RASTERS[name[1]], Path(name[2]), name[3] == "drop"
    with ExitStack() as opened:
        try:
            raster = _OPENERS[product][name[1]](file, drop, opened)
        except SceneError as error:
            raise SceneError(f"{who}: {error.problem}", error.hint) from error
        except UNREADABLE as error:
            raise SceneError(
                f"{who}: {file} cannot be read as {_TITLES[product]}: {error}",
                "name the product as it was delivered, unpacked or not; or copy it again",
            ) from error
        return ProductDataset(f"{who}: {file}", _TITLES[product], raster, opened.pop_all())
