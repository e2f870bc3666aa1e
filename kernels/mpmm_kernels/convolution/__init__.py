"""Blocks (convolution, bias, activation, pool): a plan says what is computed, a method how."""
