from . import scene_report
from .areas import area_table, in_percent
from .console import (
    Console,
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
from .crossvalidation import folds_table, spread_table
from .map import Speed, showing
from .score_tables import class_table, comparison_table, confusion_table
from .ticker import ticking
from .training import Display, Silent, Throughput, display
from .watching import live, run_frame

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
