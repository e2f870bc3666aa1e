"""The one error of the virtual cluster: what is wrong, and what to do."""


class ClusterError(Exception):
    """The cluster cannot do what was asked for.

    Parameters
    ----------
    problem
        What was expected and what came.
    hint
        What to do about it.
    """

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint
