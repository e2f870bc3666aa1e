"""Whole-scene class maps."""
