"""What a run shows in a terminal: lines, progress, tables."""

from rich.console import Console

from mpmm.display import scene_report
from mpmm.display.areas import area_table, in_percent
from mpmm.display.console import (
    compiling,
    duration,
    say,
    say_bands,
    say_network,
    say_scene,
    say_scenes,
    say_scores,
    say_split,
    say_split_of_scenes,
    say_untrained,
    telling,
)
from mpmm.display.crossvalidation import folds_table, spread_table
from mpmm.display.map import Speed, showing
from mpmm.display.score_tables import class_table, comparison_table, confusion_table
from mpmm.display.ticker import ticking
from mpmm.display.training import Display, Silent, Throughput, display
from mpmm.display.watching import live, run_frame

__all__ = [
    "Console",
    "Display",
    "Silent",
    "Speed",
    "Throughput",
    "area_table",
    "class_table",
    "comparison_table",
    "compiling",
    "confusion_table",
    "display",
    "duration",
    "folds_table",
    "in_percent",
    "live",
    "run_frame",
    "say",
    "say_bands",
    "say_network",
    "say_scene",
    "say_scenes",
    "say_scores",
    "say_split",
    "say_split_of_scenes",
    "say_untrained",
    "scene_report",
    "showing",
    "spread_table",
    "telling",
    "ticking",
]
