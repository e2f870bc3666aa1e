"""Layers besides convolution, and Adam: activation, batch normalisation, dense, dropout, pooling, softmax."""
