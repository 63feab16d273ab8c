"""Prequalification: who may take part in the market, and by which criterion a registration fails."""

from dataclasses import replace

import pytest

from gateway.coordination.answers import answers
from gateway.coordination.events import Received, Sent
from gateway.coordination.market import MarketRules
from gateway.coordination.market_messages import (
    Block,
    MarketSide,
    OfferReject,
    OfferSubmit,
    Register,
    RegisterAccept,
    RegisterReject,
    RejectCode,
)
from gateway.coordination.messages import Message
from gateway.coordination.zone import Agreement, ZoneFacts
from protocols.signals import LinkState, Outcome
from tests.gateway.coordination.build import (
    MW,
    A,
    T,
    answered,
    control,
    folded,
    issued,
    linked,
    measured,
    message,
    situation,
    zone,
)

LFDI = "3E4F45AB31EDFE5B67E343E5E4562E31984E23E5"
BODY = Register("r1", "A", "bess", "B3", 2.5 * MW, -2.5 * MW, "ieee2030_5", LFDI.lower())
HEARD = measured("A", 0.0, T)


def facts() -> ZoneFacts:
    agreement = Agreement("B3", 2.5 * MW, 2.5 * MW, "bess", "ieee2030_5", frozenset({LFDI}))
    return replace(zone(), agreements={"A": agreement}, market=MarketRules(registration=True, local_gate_s=0.0))


def said(body: Register, *events, sender: str = "AGENT_A", signals=(HEARD,), asked: Message | None = None):
    at = situation(folded(*events), T, *signals, facts=facts())
    (answer,) = answers(at, asked or message(sender, "DSO", body))
    return answer.body


def test_pr_2_a_resource_that_fulfils_every_criterion_is_accepted():
    assert said(BODY) == RegisterAccept("r1", "A")
    assert said(replace(BODY, connection="A")) == RegisterAccept("r1", "A")


@pytest.mark.parametrize(
    ("other", "reason", "detail"),
    [
        ({"resource": "Z"}, RejectCode.UNKNOWN_POI, "no such connection is agreed"),
        ({"connection": "B9"}, RejectCode.UNKNOWN_POI, "A at B9"),
        ({"ceiling_w": 2.6 * MW}, RejectCode.EXCEEDS_CONNECTION, "nameplate -2.500 … 2.600 MW"),
        ({"floor_w": -3 * MW}, RejectCode.EXCEEDS_CONNECTION, "the connection is agreed for -2.500 … 2.500 MW"),
        ({"floor_w": 2 * MW, "ceiling_w": 1 * MW}, RejectCode.EXCEEDS_CONNECTION, ""),
        ({"credential": "00" * 20}, RejectCode.UNKNOWN_CREDENTIAL, "00000000… is not known for A"),
        ({"credential": ""}, RejectCode.UNKNOWN_CREDENTIAL, "no credential was named"),
        ({"protocol": "modbus"}, RejectCode.PROTOCOL_TEST_FAILED, "agreed to speak ieee2030_5, not modbus"),
    ],
)
def test_pr_2_the_first_criterion_that_fails_is_told_with_its_code(other, reason, detail):
    found = said(replace(BODY, **other))
    assert isinstance(found, RegisterReject)
    assert found.reason is reason
    assert detail in found.detail


def test_pr_2_nobody_registers_for_another():
    found = said(BODY, sender="AGENT_B")
    assert (found.reason, found.detail) == (RejectCode.NOT_REGISTERED, "the connection of A is not that of AGENT_B")


def test_pr_2_the_protocol_test_is_what_the_gateway_hears_and_what_the_device_obeys():
    assert "it tells no power" in said(BODY, signals=()).detail
    assert "link is lost" in said(BODY, signals=(HEARD, linked("A", LinkState.LOST))).detail
    of = control(1.2 * MW)
    refused = said(BODY, issued(of, T), answered(of, Outcome.REJECTED, T))
    assert refused.reason is RejectCode.PROTOCOL_TEST_FAILED
    assert "did not obey control A-c1" in refused.detail


def test_pr_2_who_is_not_registered_may_not_offer_and_what_was_registered_bounds_the_offer():
    offer = OfferSubmit("o", 1, "A", MarketSide.DISTRIBUTION, T + 60, T + 360, (Block(2 * MW, 30.0),), T + 360)
    asked = message("AGENT_A", "DSO", offer)
    found = said(BODY, asked=asked)
    assert isinstance(found, OfferReject)
    assert found.reason is RejectCode.NOT_REGISTERED
    smaller = replace(BODY, ceiling_w=1.5 * MW)
    accept = Sent(message("DSO", "AGENT_A", RegisterAccept("r1", "A")), T)
    book = (Received(message("AGENT_A", "DSO", smaller), T), accept)
    found = said(BODY, *book, asked=asked)
    assert found.reason is RejectCode.EXCEEDS_NAMEPLATE
    fits = message("AGENT_A", "DSO", replace(offer, blocks=(Block(1.5 * MW, 30.0),)))
    assert said(BODY, *book, asked=fits).code == "OFFER.Accept"


def test_pr_2_two_parties_may_use_the_same_id_and_a_rejected_registration_leaves_nothing():
    mine, theirs = message("AGENT_A", "DSO", BODY), message("AGENT_B", "DSO", replace(BODY, resource="B"))
    accept = Sent(message("DSO", "AGENT_A", RegisterAccept("r1", "A")), T)
    reject = Sent(message("DSO", "AGENT_B", RegisterReject("r1", "B", RejectCode.UNKNOWN_POI)), T)
    trade = folded(Received(mine, T), Received(theirs, T), accept, reject).trade
    assert (list(trade.registered), trade.asked) == (["A"], {})
    assert trade.registered["A"].ceiling_w == A.ceiling_w
