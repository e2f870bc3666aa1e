from .opening import Product, Quality, is_product, open_product, product_names, rasters_of, title_of

__all__ = ["Product", "Quality", "is_product", "open_product", "product_names", "rasters_of", "title_of"]
