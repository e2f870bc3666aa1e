"""Patches and whole maps: cutting batches, pooling that keeps every pixel, minimal filtering."""
