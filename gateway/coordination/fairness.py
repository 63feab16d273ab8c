"""How evenly a study divides what the network can take."""

from grid_engine.results import Answer, Status, Study


def jain(question: Study, answer: Answer) -> float | None:
    """Jain's index of what each resource may inject now against what it asked for; `None` where nobody asks.

    Jain, Chiu and Hawe 1984: (sum x)² / (n sum x²) with x = allowed / requested: 1 where all get the same part, 1/n
    where one gets everything.
    """
    if answer.status is not Status.SOLVED:
        return None
    ceilings_w = {e.resource: e.ceiling_w for e in answer.envelopes if e.interval == 0}
    asked = [p for p in question.participants if p.adjustable and p.requested_w[0] > 0]
    parts = [min(max(ceilings_w.get(p.resource, p.requested_w[0]) / p.requested_w[0], 0.0), 1.0) for p in asked]
    squares = len(parts) * sum(part * part for part in parts)
    return sum(parts) ** 2 / squares if squares else None
