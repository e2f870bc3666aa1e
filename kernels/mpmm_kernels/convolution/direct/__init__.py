"""The method "direct": lines of outputs by emitted micro-kernels."""
