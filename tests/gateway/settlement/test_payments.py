"""Payment instructions follow from statements: once each, corrections by their difference, disputes held back."""

from gateway.settlement.payments import DUE, HELD, as_csv, payments
from gateway.settlement.words import LineKind, SettlementLine, Statement


def line(kind: LineKind, amount: float) -> SettlementLine:
    payer, payee = ("AGENT_A", "DSO") if kind is LineKind.PENALTY else ("DSO", "AGENT_A")
    return SettlementLine(kind, "o1", "A", payer, payee, 1.0, amount, amount)


def statement(*lines: SettlementLine, version: int = 1, name: str = "R1-AGENT_A-0", reason: str = "") -> Statement:
    return Statement(name, "AGENT_A", 0.0, 3_600.0, lines, version=version, reason=reason)


def test_m7_a_statement_asks_its_net_amount_of_whoever_owes_it():
    earned = statement(line(LineKind.UTILISATION, 83.75), line(LineKind.PENALTY, 55.50))
    (payment,) = payments("DSO", [earned])
    assert (payment.payer, payment.payee, payment.amount, payment.state) == ("DSO", "AGENT_A", 28.25, DUE)
    owed = statement(line(LineKind.PENALTY, 33.0))
    (payment,) = payments("DSO", [owed])
    assert (payment.payer, payment.payee, payment.amount) == ("AGENT_A", "DSO", 33.0)


def test_m7_a_correction_asks_for_the_difference_alone():
    first, second = statement(line(LineKind.UTILISATION, 28.25)), statement(line(LineKind.UTILISATION, 20.0), version=2)
    both = payments("DSO", [second, first])
    assert [(p.payment_id, p.payer, p.amount) for p in both] == [
        ("R1-AGENT_A-0-v1-payment", "DSO", 28.25),
        ("R1-AGENT_A-0-v2-payment", "AGENT_A", 8.25),
    ]
    assert payments("DSO", [first, second]) == both, "whatever the order"
    same = statement(line(LineKind.UTILISATION, 28.25), version=2)
    assert len(payments("DSO", [first, same])) == 1


def test_m7_what_is_preliminary_asks_for_nothing_and_what_is_contested_waits():
    open_one = statement(line(LineKind.UTILISATION, 5.0), version=0)
    contested = statement(line(LineKind.UTILISATION, 5.0), name="R1-AGENT_A-1")
    found = payments("DSO", [open_one, contested], {"R1-AGENT_A-1"})
    assert [(p.statement_id, p.state) for p in found] == [("R1-AGENT_A-1", HELD)]


def test_m7_a_market_facilitator_has_others_pay_each_other_once():
    lines = (SettlementLine(LineKind.UTILISATION, "d1", "A", "IESO", "AGENT_A", 1.0, 40.0, 40.0),)
    theirs = [Statement(f"R1-{party}-0", party, 0.0, 3_600.0, lines) for party in ("AGENT_A", "IESO")]
    assert [(p.payer, p.payee, p.amount) for p in payments("DSO", theirs)] == [("IESO", "AGENT_A", 40.0)]


def test_m7_instructions_travel_as_csv():
    text = as_csv(payments("DSO", [statement(line(LineKind.UTILISATION, 28.255), reason="resolved")]))
    head, row = text.splitlines()
    assert head == "payment,payer,payee,amount,statement,version,state,reason"
    assert row.startswith("R1-AGENT_A-0-v1-payment,DSO,AGENT_A,28.2")
    assert row.endswith(",R1-AGENT_A-0,1,due,resolved")
