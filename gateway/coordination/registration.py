"""May a resource take part in the market? The criteria of prequalification, in their order."""

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.coordination.market_messages import Register, RegisterAccept, RegisterReject, RejectCode
from gateway.coordination.messages import Body, Message
from gateway.coordination.situation import Situation
from gateway.coordination.zone import Agreement
from protocols.signals import LinkState

SAME_W = 1.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One criterion and how the registration did."""

    criterion: str
    reason: RejectCode | None = None
    """`None` where it holds."""
    detail: str = ""


def answer(at: Situation, message: Message, body: Register) -> Message:
    """It may, or it may not and why."""
    failed = next((one for one in judged(at, message.header.sender, message.header.zone, body) if one.reason), None)
    said: Body = (
        RegisterAccept(body.registration_id, body.resource)
        if failed is None or failed.reason is None
        else RegisterReject(body.registration_id, body.resource, failed.reason, failed.detail)
    )
    return at.message(message.header.sender, body.registration_id, said, suffix=f":{message.header.sender}")


def judged(at: Situation, sender: str, zone: str, body: Register) -> Iterator[Finding]:
    """Every criterion that can be looked at; none after a place that is not known."""
    yield _same_zone(at, zone)
    agreement = at.zone.agreements.get(body.resource)
    resource = at.zone.resources.get(body.resource)
    if agreement is None or resource is None or body.connection not in (agreement.connection, resource.id):
        where = f"{body.resource} at {body.connection}"
        yield Finding("connection", RejectCode.UNKNOWN_POI, f"{where}: no such connection is agreed in {at.zone.id}")
        return
    yield Finding("connection", detail=f"{body.resource} at {agreement.connection}")
    if resource.owner == sender:
        yield Finding("party", detail=sender)
    else:
        yield Finding("party", RejectCode.NOT_REGISTERED, f"the connection of {resource.id} is not that of {sender}")
    yield _nameplate(agreement, body)
    yield _credential(agreement, body)
    yield _protocol(at, agreement, body)


def registered(at: Situation, resource: str) -> bool:
    """Whether a resource may offer."""
    return not at.zone.market.registration or resource in at.book.trade.registered


def _same_zone(at: Situation, zone: str) -> Finding:
    if zone == at.zone.id:
        return Finding("zone", detail=zone)
    return Finding("zone", RejectCode.WRONG_ZONE, f"zone {zone} is not {at.zone.id}")


def _nameplate(agreement: Agreement, body: Register) -> Finding:
    most = f"{body.floor_w / 1e6:.3f} … {body.ceiling_w / 1e6:.3f} MW"
    agreed = f"{-agreement.import_w / 1e6:.3f} … {agreement.export_w / 1e6:.3f} MW"
    beyond = body.ceiling_w > agreement.export_w + SAME_W or body.floor_w < -agreement.import_w - SAME_W
    if beyond or body.floor_w > body.ceiling_w:
        return Finding(
            "nameplate", RejectCode.EXCEEDS_CONNECTION, f"nameplate {most}; the connection is agreed for {agreed}"
        )
    return Finding("nameplate", detail=f"{most} within {agreed}")


def _credential(agreement: Agreement, body: Register) -> Finding:
    shown = body.credential.replace(":", "").upper()
    if not agreement.credentials:
        return Finding("credential", detail="none is asked for")
    if shown in agreement.credentials:
        return Finding("credential", detail=f"{shown[:8]}… is known")
    what = f"{shown[:8]}… is" if shown else "no credential was named, and none is"
    return Finding("credential", RejectCode.UNKNOWN_CREDENTIAL, f"{what} not known for {body.resource}")


def _protocol(at: Situation, agreement: Agreement, body: Register) -> Finding:
    """The gateway's own test: it hears the device over the agreed protocol, and the device obeys."""
    name = body.resource
    if body.protocol != agreement.protocol:
        problem = f"it was agreed to speak {agreement.protocol}, not {body.protocol}"
    elif at.snapshot.link(name) not in (LinkState.ONLINE, LinkState.DEGRADED):
        problem = f"it is not heard over {agreement.protocol}: its link is {at.snapshot.link(name).value}"
    elif at.snapshot.power_w(name) is None:
        problem = f"it tells no power over {agreement.protocol}"
    elif not at.book.obeys(name):
        problem = f"it did not obey control {at.book.controls[name].instruction.control_id}"
    else:
        return Finding("protocol test", detail=f"heard over {agreement.protocol}")
    return Finding("protocol test", RejectCode.PROTOCOL_TEST_FAILED, problem)
