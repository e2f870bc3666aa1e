"""Rasters in: mosaics, alignment to the label grid, the DFC2018 reader, the synthetic scene."""
