"""Compiled kernels of 3D CNNs: NumPy arrays in, NumPy arrays out; they know nothing of mpmm."""
