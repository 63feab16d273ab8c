"""What happens in a scenario to meters, statements and disputes."""

from gateway.coordination.settlement_messages import DisputeOpen
from gateway.scenarios import money
from gateway.scenarios.stage import MW, Stage
from gateway.settlement.vee import Step, VeeRules, verified
from gateway.settlement.words import MeterInterval, MeterSource


def meter_import(stage: Stage, told: money.MeterImport, start_s: float) -> None:
    """Our own meter of a resource is read, and what it says is validated.

    Raises:
        ValueError: the zone has no such resource.
    """
    resource, length_s = stage.loop.ground.zone.resources.get(told.resource), 60 * told.length_min
    if resource is None:
        raise ValueError(f"{told.resource} is no device of the zone; use one of {', '.join(stage.zone.devices)}")
    said = [
        MeterInterval(f"{told.resource}-LDC", start_s + n * length_s, length_s, energy_mwh * MW)
        for n, energy_mwh in enumerate(told.energies_mwh)
        if energy_mwh is not None
    ]
    if not said:
        raise ValueError("`energies_mwh` has no value; write at least one, and null where the meter said nothing")
    rules = VeeRules(max(abs(resource.floor_w), abs(resource.ceiling_w)))
    asked = [
        Step(one.start_s, one.end_s, one.power_w)
        for one in stage.loop.book.accounts.asked.values()
        if one.resource == told.resource
    ]
    values = verified(said, start_s, len(told.energies_mwh), rules, asked=asked)
    stage.meters.add(told.resource, values, "scenario", stage.now())


async def dispute(stage: Stage, told: money.Dispute) -> None:
    """A party contests its newest statement.

    Raises:
        ValueError: it has none.
    """
    held = [versions[-1] for versions in stage.loop.book.accounts.statements.values()]
    mine = [statement for statement in held if statement.party == told.party]
    if not mine:
        raise ValueError(f"{told.party} has no statement yet")
    opened = DisputeOpen(told.dispute_id, mine[-1].statement_id, mine[-1].version, told.claim)
    message = stage.parties.agent(told.party).say(told.dispute_id, opened, stage.now())
    await stage.deliver(stage.parties.note([message], stage.now()))


async def resolve(stage: Stage, told: money.ResolveDispute) -> None:
    """The DSO's operator ends a dispute.

    Raises:
        RefusedMessage: it cannot be ended so.
    """
    if stage.loop.accounting is not None:
        await stage.loop.accounting.resolve(told.id, MeterSource(told.meter), told.reason)


async def charge(stage: Stage, told: money.Charge) -> None:
    """The system operator charges the DSO for what was missing of a dispatch."""
    message = stage.parties.system_operator.charge(told.ref, told.amount, stage.now())
    await stage.deliver(stage.parties.note([message], stage.now()))
