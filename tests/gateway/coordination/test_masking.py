"""Nothing below a point of interconnection may leave for the system operator, whatever message it stands in."""

from dataclasses import replace

import pytest

from gateway.coordination import masking
from gateway.coordination.market import MarketRules
from gateway.coordination.market_messages import BidAggregate, Block, RegisterAccept
from gateway.coordination.messages import AckReceipt, Body, Header, LimitInfo, Message, Supporting
from gateway.coordination.operation_messages import EmergencyDeclare
from gateway.coordination.settlement_messages import MeterReport
from gateway.coordination.zone import Controllable, DsoModel, Resource, Role, ZoneFacts
from grid_engine.results import Reason

SUPPORT = Supporting(120, 100, "v1", "cycle")
INFO = LimitInfo("l", 1, "PLANT7", 0, 300, 1e6, 0, Reason.THERMAL, "L12", SUPPORT)
LFDI = "3E4F45AB31EDFE5B67E343E5E4562E31984E23E5"


def zone(model: DsoModel) -> ZoneFacts:
    one = Resource("PLANT7", "B3", "abc", 0, 1e6, Controllable.SETPOINT, "AGENT_7", "2020-01-01", 900)
    parties = {"IESO": Role.SYSTEM_OPERATOR, "AGENT_7": Role.DERA}
    return ZoneFacts("Z", model, "v1", {"PLANT7": one}, parties, market=MarketRules(nodes=("TD1",)))


def problem(model: DsoModel, body: Body, recipient: str = "IESO") -> str | None:
    return masking.refusal(zone(model), Message(Header("m", "c", "DSO", recipient, 0, "Z", model.value), body))


T, MF, DP = DsoModel.TOTAL_DSO, DsoModel.MARKET_FACILITATOR, DsoModel.DUAL_PARTICIPATION


@pytest.mark.parametrize(
    ("model", "body", "told"),
    [
        (T, AckReceipt("d1", 1, "PLANT7"), "PLANT7 in resource"),
        (T, AckReceipt("d1-AGENT_7", 1, "TD1"), None),
        (T, AckReceipt("d1:AGENT_7", 1, "TD1"), "AGENT_7 in ref"),
        (T, EmergencyDeclare("e", 1, "zone", 0, "fire at PLANT7, all off"), "PLANT7 in detail"),
        (T, EmergencyDeclare("e", 1, "zone", 0, "fire"), None),
        (T, BidAggregate("b", 1, "TD1", 0, 300, (Block(1e6, 40.0),)), None),
        (MF, INFO, None),
        (MF, replace(INFO, supporting=replace(SUPPORT, phase="b")), "supporting.phase"),
        (MF, EmergencyDeclare("e", 1, "zone", 0, f"meter {LFDI}"), "an LFDI in detail"),
        (MF, MeterReport("M1", "PLANT7", "LDC", 0, 5, (1.0,)), "meter"),
    ],
)
def test_what_is_below_is_found(model: DsoModel, body: Body, told: str | None) -> None:
    found = problem(model, body)
    assert found == (None if told is None else f"MASKED: {body.code} to IESO would tell {told}")


def test_owners_and_dual_participation_hear_everything() -> None:
    assert problem(T, RegisterAccept("r", "PLANT7"), "AGENT_7") is None
    assert problem(DP, AckReceipt("d1", 1, "PLANT7")) is None


def test_the_conductor_is_taken_out_of_what_the_system_operator_is_told() -> None:
    told = masking.above(replace(INFO, supporting=replace(SUPPORT, phase="b")))
    assert told == INFO
