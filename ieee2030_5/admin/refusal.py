"""Why the admin API does not do what it was asked."""


class Refusal(Exception):  # noqa: N818  (a verdict, not a defect)
    """The request is answered with a 4xx: what is wrong, where, and what to do."""

    def __init__(self, status: int, problem: str, where: str, remedy: str) -> None:
        super().__init__(f"{where}: {problem}; {remedy}")
        self.status, self.problem, self.where, self.remedy = status, problem, where, remedy


def unknown(kind: str, name: str, remedy: str) -> Refusal:
    """There is no such thing."""
    return Refusal(404, f"there is no {kind} {name!r}", kind, remedy)
