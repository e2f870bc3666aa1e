"""A run, or a comparison of runs, as one HTML page that opens from disk."""

from mpmm.report.comparison_page import write_comparison_report
from mpmm.report.run_page import write_run_report

__all__ = ["write_comparison_report", "write_run_report"]
