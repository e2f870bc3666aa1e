"""Oracles: what the kernels compute, in plain loops that can be read at a glance."""
