"""What several convolution methods use: geometry, staging, pooling in registers, the epilogue."""
