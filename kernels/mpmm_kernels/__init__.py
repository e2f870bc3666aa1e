"""Compiled kernels of 3D CNNs: NumPy arrays in, NumPy arrays out; they know nothing of mpmm.

Rooms, upper floors first: `convolution` (blocks) and `patches`; `layers`; `vector`; `arrays`; `runtime`;
`groups`. Importing this package alone loads none of them.
"""

__all__ = ["arrays", "convolution", "groups", "layers", "patches", "runtime", "vector", "vocabulary"]
