"""Registrations at the operator's desk: who may take part in the market, and registering for an owner by hand."""

import secrets
from typing import Annotated

from pydantic import Field

from gateway.console.seat import Seat
from gateway.console.words import Act, By
from gateway.coordination import registration
from gateway.coordination.market_messages import Register
from gateway.coordination.messages import Header, Message
from gateway.coordination.situation import Situation
from gateway.coordination.zone import Agreement
from gateway.exchange import CannotRecord, RefusedMessage
from gateway.record import Acted
from ieee2030_5.admin.api import Endpoint
from ieee2030_5.admin.refusal import Refusal, unknown
from ieee2030_5.admin.words import Watts, Word
from ieee2030_5.records import KeepError


class RegisterIn(Act):
    """What an owner says of his resource."""

    connection: Annotated[str, Field(max_length=160)] = ""
    """Point of interconnection; the agreed one where empty."""
    floor_w: Watts | None = None
    """Of the nameplate; what is in the zone file where absent."""
    ceiling_w: Watts | None = None
    credential: Annotated[str, Field(max_length=160, pattern=r"^[0-9A-Fa-f:]*$")] = ""
    """LFDI, fingerprint of a certificate, or digest of a token, hex."""
    protocol: Annotated[str, Field(max_length=40)] = ""
    programs: Annotated[list[By], Field(max_length=100)] = Field(default_factory=list)


class Criterion(Word):
    """One criterion of prequalification."""

    criterion: str
    holds: bool
    code: str
    detail: str


class Judged(Word):
    """What became of a registration."""

    der: str
    registration: str
    accepted: bool
    criteria: list[Criterion]


class RegistrationOut(Word):
    """A connection that was agreed, and whether its resource takes part."""

    der: str
    owner: str
    connection: str
    kind: str
    protocol: str
    export_w: float
    import_w: float
    may_offer: bool
    registration: str
    """Id of the newest that was accepted; empty where there is none."""
    floor_w: float | None
    ceiling_w: float | None
    programs: list[str]


class RegistrationList(Word):
    """All of them."""

    required: bool
    """Whether a resource has to be registered before it may offer."""
    registrations: list[RegistrationOut]


def registrations(seat: Seat) -> RegistrationList:
    """Every connection of the zone."""
    at = seat.situation()
    found = [_told(at, name, agreement) for name, agreement in at.zone.agreements.items()]
    return RegistrationList(required=at.zone.market.registration, registrations=found)


async def register(seat: Seat, der: str, what: RegisterIn) -> Judged:
    """Register for an owner, as if he had said so himself; judged by the same criteria."""
    at = seat.situation()
    resource, agreement = at.zone.resources.get(der), at.zone.agreements.get(der)
    if resource is None or agreement is None:
        raise unknown("der", der, "`ampacity register ZONE` shows all connections")
    body = Register(
        registration_id=f"{der}-{secrets.token_hex(6)}",
        resource=der,
        kind=agreement.kind,
        connection=what.connection or agreement.connection,
        ceiling_w=resource.ceiling_w if what.ceiling_w is None else what.ceiling_w,
        floor_w=resource.floor_w if what.floor_w is None else what.floor_w,
        protocol=what.protocol or agreement.protocol,
        credential=what.credential,
        programs=tuple(what.programs),
    )
    corr_id, zone = body.registration_id, at.zone
    header = Header(f"{body.code}:{corr_id}", corr_id, resource.owner, zone.dso, at.now_s, zone.id, zone.model.value)
    if not await seat.exchange.ground.ledger.commit([Acted(at.now_s, what.by, f"registers for {resource.owner}", der)]):
        raise KeepError("the journal cannot be written; nothing was done")
    found = list(registration.judged(at, resource.owner, zone.id, body))
    try:
        await seat.exchange.receive(Message(header, body))
    except RefusedMessage as error:
        raise Refusal(409, str(error), "der", "nothing was done; `ampacity register ZONE` shows what is") from error
    except CannotRecord as error:
        raise KeepError(str(error)) from error
    accepted = seat.situation().book.trade.registered.get(der) == body
    criteria = [
        Criterion(criterion=f.criterion, holds=f.reason is None, code=f.reason or "", detail=f.detail) for f in found
    ]
    return Judged(der=der, registration=corr_id, accepted=accepted, criteria=criteria)


def _told(at: Situation, name: str, agreement: Agreement) -> RegistrationOut:
    enrolled = at.book.trade.registered.get(name)
    return RegistrationOut(
        der=name,
        owner=at.zone.resources[name].owner,
        connection=agreement.connection,
        kind=agreement.kind,
        protocol=agreement.protocol,
        export_w=agreement.export_w,
        import_w=agreement.import_w,
        may_offer=registration.registered(at, name),
        registration="" if enrolled is None else enrolled.registration_id,
        floor_w=None if enrolled is None else enrolled.floor_w,
        ceiling_w=None if enrolled is None else enrolled.ceiling_w,
        programs=[] if enrolled is None else list(enrolled.programs),
    )


ENDPOINTS: tuple[Endpoint[Seat], ...] = (
    Endpoint(
        "GET",
        "/registrations",
        "Connections that were agreed, and who takes part in the market",
        lambda s, _, __: registrations(s),
        gives=RegistrationList,
    ),
    Endpoint(
        "POST",
        "/registrations/{der}",
        "Register a resource for its owner; the criteria of prequalification and how it did",
        lambda s, a, b: register(s, a.names["der"], b),
        RegisterIn,
        Judged,
    ),
)
