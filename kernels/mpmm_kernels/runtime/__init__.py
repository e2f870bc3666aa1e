"""What compiled kernels run on: compiler, cache on disk, threads, work shared out among them."""
