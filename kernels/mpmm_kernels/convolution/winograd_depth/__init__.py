"""The method "winograd-depth": kernels of seven bands and one pixel by minimal filtering."""
