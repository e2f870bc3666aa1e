"""The weights' gradient of max-pooled convolutions, from the windows' largest elements alone."""

from mpmm_kernels.convolution.argmax_gradient.gradient import (
    ArgmaxBuffers,
    allocate,
    allocate_if_suited,
    suits,
    weight_gradient,
)

__all__ = ["ArgmaxBuffers", "allocate", "allocate_if_suited", "suits", "weight_gradient"]
