"""A run as one HTML page that opens from disk: scores, curves, map, network, ranks."""

from mpmm.report.run_page import write_run_report

__all__ = ["write_run_report"]
