"""Messages between ranks: kinds and tags, channels, waiting, traffic; the only room that imports mpi4py."""
