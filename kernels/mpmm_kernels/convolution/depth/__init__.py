"""The method "depth": register blocks of neighbours in depth."""
