"""The paper's experiments on a scene of one's own, each with its tables, figures and run folders."""

__all__: list[str] = []
