"""The addressing matrix: what is not in the table does not travel."""

import pytest

from gateway.coordination.messages import AckStatus, CapabilityNotice, DispatchCopy, LimitAck, LimitClear, OutageNotice
from gateway.coordination.routing import MATRIX, refusal
from gateway.coordination.zone import DsoModel, Role
from tests.gateway.coordination.build import MW, T, message, zone

COPY = DispatchCopy("d", 1, "A", MW, T, T + 300)
NOTICE = CapabilityNotice("A", MW, T, T + 300, "DISTRIBUTION_LIMIT", "l")
OUTAGE = OutageNotice("o", "A", 0.0, T, T + 300, planned=False)
ACK = LimitAck("l", 1, "A", AckStatus.ACCEPT, MW)


@pytest.mark.parametrize(
    ("sender", "recipient", "body"),
    [
        ("IESO", "DSO", COPY),
        ("AGENT_A", "DSO", ACK),
        ("AGENT_A", "DSO", NOTICE),
        ("AGENT_A", "DSO", OUTAGE),
        ("DSO", "AGENT_A", LimitClear("l", 1, "A")),
    ],
)
def test_dual_participation_lets_pass(sender, recipient, body):
    assert refusal(zone(), message(sender, recipient, body)) is None


@pytest.mark.parametrize(
    ("sender", "recipient", "body", "why"),
    [
        ("AGENT_A", "DSO", COPY, "DISPATCH.Copy from dera AGENT_A to dso DSO is not allowed under model DP"),
        ("DSO", "IESO", OUTAGE, "not allowed under model DP"),
        ("STRANGER", "DSO", ACK, "STRANGER is not a party"),
        ("DSO", "STRANGER", LimitClear("l", 1, "A"), "STRANGER is not a party"),
        ("AGENT_B", "DSO", ACK, "AGENT_B does not speak for A"),
        ("AGENT_B", "DSO", OUTAGE, "AGENT_B does not speak for A"),
    ],
)
def test_dual_participation_refuses(sender, recipient, body, why):
    problem = refusal(zone(), message(sender, recipient, body))
    assert problem is not None
    assert problem.startswith("ROUTE_FORBIDDEN: ")
    assert why in problem


def test_under_dual_participation_nothing_goes_from_us_to_the_system_operator():
    route = (Role.DSO, Role.SYSTEM_OPERATOR)
    assert [c for c, routes in MATRIX.items() if DsoModel.DUAL_PARTICIPATION in routes.get(route, ())] == []


@pytest.mark.parametrize("model", [DsoModel.TOTAL_DSO, DsoModel.MARKET_FACILITATOR])
def test_where_the_dso_stands_between_the_system_operator_sends_it_no_copies(model):
    assert refusal(zone(model=model), message("IESO", "DSO", COPY)) is not None
