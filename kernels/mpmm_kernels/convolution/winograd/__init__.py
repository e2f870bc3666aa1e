"""The method "winograd": planes of square kernels by minimal filtering."""
