"""A market facilitator's notes on the offers that it passes on."""

from gateway.coordination import facilitator
from gateway.coordination.events import Event, Received
from gateway.coordination.market_messages import Block, MarketSide, OfferSubmit
from gateway.coordination.zone import DsoModel
from tests.gateway.coordination.build import MW, T, decided, folded, message, situation, zone

OFFER = OfferSubmit("o1", 1, "A", MarketSide.WHOLESALE, T + 600, T + 900, (Block(MW, 30.0),), T + 900)
COME = Received(message("AGENT_A", "DSO", OFFER), T + 10.1)


def asks(now_s: float, *events: Event) -> bool:
    """Whether the cycle that begins now asks what the network allows of an offer."""
    facts = zone(model=DsoModel.MARKET_FACILITATOR)
    return next(facilitator.annotations(situation(folded(*events), now_s, facts=facts)), None) is not None


def test_every_offer_is_looked_at_once_by_the_first_cycle_that_begins_after_it():
    assert not asks(T + 10, decided(T), COME), "it came while this cycle was asking"
    assert asks(T + 20, decided(T), decided(T + 10), COME)
    assert not asks(T + 30, decided(T), COME, decided(T + 20))
