"""mpmm trains and runs multi-modal 3D CNNs for land-cover classification on clusters of CPU machines."""

__version__ = "0.1.0"
