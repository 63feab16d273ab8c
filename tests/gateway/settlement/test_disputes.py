"""A statement is contested and corrected; both versions stay."""

from dataclasses import replace

import pytest

from gateway.settlement.disputes import (
    TRANSITIONS,
    Dispute,
    DisputeError,
    DisputeEvent,
    DisputeState,
    mirrored,
    moved,
    opened,
    resolved,
)
from gateway.settlement.performance import Obligation, performances
from gateway.settlement.settle import Deal, settled
from gateway.settlement.words import Statement, Terms

MW = 1e6
TERMS = Terms(utilisation_per_mwh=7, penalty_per_mwh=11)
DEAL = Deal("order-1", "A", "DSO", "AGENT_A")


def lines(metered_mw):
    found = performances([Obligation(0.0, 3600.0, 2 * MW)], [-10 * MW], [-metered_mw * MW], TERMS)
    return settled(DEAL, found, TERMS)


FIRST = Statement("st-1", "AGENT_A", 0.0, 3600.0, lines(9.0))
CLAIM = Dispute("di-1", "st-1", 1, "AGENT_A", "our meter read 8.0 MW, not 9.0", "meter MP-7")


def test_a_dispute_decided_for_the_participant_makes_a_second_version():
    assert FIRST.net == pytest.approx(-4.0)
    dispute = moved(opened(CLAIM, FIRST, 7200.0, 20 * 86400), DisputeEvent.RESPOND)
    closed, second = resolved(dispute, FIRST, lines(8.0), "the participant's meter was right")
    assert (second.version, second.net) == (2, pytest.approx(14.0))
    assert (FIRST.version, FIRST.net) == (1, pytest.approx(-4.0))
    assert (closed.state, closed.resolution) == (DisputeState.RESOLVED, "the participant's meter was right")


def test_only_what_the_table_says_can_happen():
    for state in DisputeState:
        for event in DisputeEvent:
            at = replace(CLAIM, state=state)
            if (state, event) in TRANSITIONS:
                assert moved(at, event).state is TRANSITIONS[state, event]
            else:
                with pytest.raises(DisputeError, match="cannot happen"):
                    moved(at, event)


def test_a_dispute_after_its_window_by_a_stranger_or_of_another_version_is_refused():
    with pytest.raises(DisputeError, match="window"):
        opened(CLAIM, FIRST, 30 * 86400, 20 * 86400)
    with pytest.raises(DisputeError, match="no line"):
        opened(replace(CLAIM, by="AGENT_B"), FIRST, 7200.0, 20 * 86400)
    with pytest.raises(DisputeError, match="contests st-1 version 1"):
        opened(CLAIM, replace(FIRST, version=2), 7200.0, 20 * 86400)


def test_between_two_sides_the_claim_is_carried_on():
    theirs = Statement("ieso-9", "DSO", 0.0, 3600.0, ())
    carried = mirrored(CLAIM, "di-2", "DSO", theirs)
    assert (carried.by, carried.statement_id, carried.mirrors) == ("DSO", "ieso-9", "di-1")
