"""A run as one HTML page that opens from disk: scores, curves, map, network, ranks."""

__all__: list[str] = []
