"""Patches from an aligned scene: sampling, splits, batches, normalisation, augmentation."""
