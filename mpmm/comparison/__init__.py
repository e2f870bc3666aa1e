"""The paper's experiments on a scene of one's own, each with its tables, figures and run folders."""

from mpmm.comparison import paper
from mpmm.comparison.experiments import EXPERIMENTS, compare
from mpmm.comparison.study import Study

__all__ = ["EXPERIMENTS", "Study", "compare", "paper"]
