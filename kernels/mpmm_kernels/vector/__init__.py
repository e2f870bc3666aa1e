"""Vectors of the processor's registers inside compiled kernels: values, blocks of them, copies."""
