"""The paper's experiments on a scene of one's own, each with its tables, figures and run folders."""

from mpmm.comparison import paper

__all__ = ["paper"]
