"""What the books of a play say, against what is wanted of them."""

from collections.abc import Iterable

from gateway.coordination.accounts import Accounts
from gateway.scenarios import money
from gateway.scenarios.looks import Found, number
from gateway.settlement.assessment import Assessment
from gateway.settlement.words import LineKind, SettlementLine

_PAID = frozenset({LineKind.UTILISATION, LineKind.EMERGENCY})


def settlement(accounts: Accounts, wanted: money.Settlement) -> Found:
    """What was asked of a resource, as it is settled so far."""
    found = [one for one in accounts.assessed.values() if _is(wanted, one)]
    lines = [line for one in found for line in one.lines]
    owners = {one.seller for one in found}
    charged = [line for line in accounts.charges.values() if _charged(line, found, owners)]
    name = f"settlement of {wanted.ref or wanted.resource}"
    yield f"{name}, measured", "at least 1", str(len(found)), bool(found)
    amounts = (
        ("paid", wanted.paid, _sum(lines, _PAID)),
        ("penalty", wanted.penalty, _sum(lines, {LineKind.PENALTY})),
        ("availability", wanted.availability, _sum(lines, {LineKind.AVAILABILITY})),
        ("compensation", wanted.compensation, _sum(lines, {LineKind.CURTAILMENT})),
        ("charged", wanted.charged, _sum(charged, {LineKind.CAUSED_CHARGE})),
        ("net", wanted.net, net([*lines, *charged], owners)),
    )
    for word, amount, is_amount in amounts:
        if amount is not None:
            yield number(f"{name}, {word}", amount, is_amount, wanted.tolerance_money, "$")
    energies = (
        ("expected", wanted.expected_mwh, sum(one.expected_mwh for one in found)),
        ("delivered", wanted.delivered_mwh, sum(one.delivered_mwh for one in found)),
        ("short", wanted.short_mwh, sum(one.shortfall_mwh for one in found)),
        ("curtailed", wanted.curtailed_mwh, sum(one.curtailed_mwh for one in found)),
    )
    for word, energy, is_energy in energies:
        if energy is not None:
            yield number(f"{name}, {word}", energy, is_energy, wanted.tolerance_mwh, "MWh")
    yield from _excused(name, wanted, found)


def statement(accounts: Accounts, wanted: money.StatementCheck) -> Found:
    """The newest statement of a party."""
    mine = [versions for versions in accounts.statements.values() if versions[-1].party == wanted.party]
    versions = mine[-1] if mine else []
    name = f"statement of {wanted.party}"
    newest = versions[-1] if versions else None
    if wanted.net is not None:
        is_net = None if newest is None else newest.net
        yield number(f"{name}, net", wanted.net, is_net, wanted.tolerance_money, "$")
    if wanted.version is not None:
        is_version = None if newest is None else newest.version
        yield f"{name}, version", str(wanted.version), str(is_version or "none"), wanted.version == is_version
    if wanted.versions_net is not None:
        nets = [one.net for one in versions]
        same = len(nets) == len(wanted.versions_net) and all(
            abs(a - b) <= wanted.tolerance_money for a, b in zip(nets, wanted.versions_net, strict=True)
        )
        yield f"{name}, versions", _amounts(wanted.versions_net), _amounts(nets) or "none", same


def ends(accounts: Accounts) -> dict[str, float]:
    """Every figure of everything that is settled, by what it is of: dollars and MWh."""
    found: dict[str, float] = {}
    for one in accounts.assessed.values():
        found[f"delivered of {one.ref} v{one.version} by {one.resource}, MWh"] = one.delivered_mwh
        found[f"expected of {one.ref} v{one.version} by {one.resource}, MWh"] = one.expected_mwh
        for line in one.lines:
            found[f"{line.kind.value} of {one.ref} v{one.version} by {one.resource}, $"] = line.amount
    return found


def net(lines: Iterable[SettlementLine], parties: set[str]) -> float:
    """What parties receive in all, dollars."""
    return sum(
        (line.amount if line.payee in parties else 0) - (line.amount if line.payer in parties else 0) for line in lines
    )


def _is(wanted: money.Settlement, one: Assessment) -> bool:
    return wanted.resource in (None, one.resource) and wanted.ref in (None, one.ref)


def _charged(line: SettlementLine, found: list[Assessment], owners: set[str]) -> bool:
    return line.payer in owners and any(one.part_of == line.reference for one in found)


def _sum(lines: Iterable[SettlementLine], kinds: frozenset[LineKind] | set[LineKind]) -> float:
    return sum(line.amount for line in lines if line.kind in kinds)


def _excused(name: str, wanted: money.Settlement, found: list[Assessment]) -> Found:
    intervals = [p for one in found for p in one.performances]
    if wanted.excused_by is not None:
        excuses = sorted({p.excused_by for p in intervals if p.excused_by})
        fits = any(one.startswith(wanted.excused_by) for one in excuses)
        yield f"{name}, excused by", wanted.excused_by or "something", " ".join(excuses) or "nothing", fits
    if wanted.intervals is not None:
        yield f"{name}, intervals", str(wanted.intervals), str(len(intervals)), wanted.intervals == len(intervals)


def _amounts(values: Iterable[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)
