"""What the log says of limits that share out what there is."""

import structlog
from structlog.testing import capture_logs

from gateway.sayings import shared
from grid_engine.results import Answer, Envelope, Participant, Policy, Purpose, Status, Study
from tests.gateway.coordination.build import BINDING, MW, limit, message

ISSUE = message("DSO", "AGENT_A", limit(1.2 * MW))


def asks(resource: str, power_mw: float) -> Participant:
    return Participant(resource, "B3", (0.0,), (power_mw * MW,), 0.0, 5 * MW)


QUESTION = Study("s", Purpose.IMPACT, 1, (asks("A", 2), asks("B", 4), asks("H", 1)), policy=Policy.LIFO)


def logged(*ceilings_mw: float, sent: tuple = (ISSUE,)) -> list:
    envelopes = tuple(
        Envelope(name, 0, 0.0, ceiling_mw * MW, BINDING) for name, ceiling_mw in zip("ABH", ceilings_mw, strict=False)
    )
    with capture_logs() as lines:
        shared(structlog.get_logger(), QUESTION, Answer("s", Status.SOLVED, "v", envelopes=envelopes), sent)
    return lines


def test_limits_that_share_say_how_evenly():
    (line,) = logged(0.5, 4.0, 0.0)
    # Parts of a quarter, all and nothing: 1.25 squared over three times 1.0625.
    assert line == {"event": "limit.shares", "log_level": "info", "policy": "lifo", "jain": 0.4902, "count": 3}


def test_nothing_is_said_of_one_alone_nor_where_no_limit_leaves():
    assert logged(0.5) == []
    assert logged(0.5, 4.0, 0.0, sent=()) == []
