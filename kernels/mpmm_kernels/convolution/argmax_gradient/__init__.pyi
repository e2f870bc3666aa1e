from .gradient import ArgmaxBuffers, allocate, allocate_if_suited, suits, weight_gradient

__all__ = ["ArgmaxBuffers", "allocate", "allocate_if_suited", "suits", "weight_gradient"]
