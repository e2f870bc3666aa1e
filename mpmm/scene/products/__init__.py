"""Products of satellites and aircraft, read unchanged from the layout that their publishers give them."""

from mpmm.scene.products.opening import (
    Product,
    Quality,
    is_product,
    open_product,
    product_names,
    rasters_of,
    title_of,
)

__all__ = ["Product", "Quality", "is_product", "open_product", "product_names", "rasters_of", "title_of"]
