"""Emergencies: everybody in their scope is told to keep off, before and above everything else."""

from collections.abc import Iterator
from dataclasses import replace

from gateway.coordination.messages import Message
from gateway.coordination.operation_messages import EmergencyClear, EmergencyControl, EmergencyDeclare
from gateway.coordination.situation import Situation
from gateway.coordination.zone import Controllable, DsoModel, Resource, Role

ZONE = "zone"
"""Scope of an emergency that concerns every resource."""


def declared(at: Situation, level: int, scope: str, detail: str) -> tuple[Message, ...]:
    """The declaration to everybody whom the model allows to be told, and the control of every resource in scope.

    Args:
        scope: `zone`, a bus, or a resource.

    Raises:
        ValueError: nothing of the zone is called `scope`, or `level` is not 1 to 3.
    """
    if level not in (1, 2, 3):
        raise ValueError(f"level {level}: give 1 (reduce), 2 (stop injecting) or 3 (stop injecting and drawing)")
    members = [resource for resource in at.zone.resources.values() if _within(resource, scope)]
    if not members:
        raise ValueError(f"scope {scope!r}: give `{ZONE}`, a bus or a resource of zone {at.zone.id}")
    newest = next(reversed(at.book.emergencies.records), "-0")
    emergency_id = f"{at.zone.id}-emergency-{int(newest.rpartition('-')[2]) + 1}"
    body = EmergencyDeclare(emergency_id, level, scope, at.now_s, detail)
    told = (
        at.message(party, emergency_id, _masked(at, party, body), suffix=f":{party}")
        for party in _audience(at, members)
    )
    return (*told, *_controls(at, emergency_id, level, members))


def cleared(at: Situation, emergency_id: str) -> tuple[Message, ...]:
    """The end of an emergency.

    Raises:
        ValueError: there is none of that id, or it is over.
    """
    record = at.book.emergencies.records.get(emergency_id)
    if record is None or record.cleared_s is not None:
        lasting = ", ".join(r.declared.emergency_id for r in at.book.emergencies.lasting) or "none"
        raise ValueError(f"emergency {emergency_id!r} does not last; lasting: {lasting}")
    members = [at.zone.resources[resource] for resource in record.controls if resource in at.zone.resources]
    body = EmergencyClear(emergency_id, at.now_s)
    return tuple(at.message(party, emergency_id, body, suffix=f":{party}") for party in _audience(at, members))


def _controls(at: Situation, emergency_id: str, level: int, members: list[Resource]) -> Iterator[Message]:
    for resource in members:
        if resource.controllable is Controllable.NONE:
            continue
        ceiling_w = resource.ceiling_w / 2 if level == 1 else 0.0
        floor_w = resource.floor_w / 2 if level == 1 else 0.0 if level == 3 else resource.floor_w
        body = EmergencyControl(emergency_id, resource.id, max(ceiling_w, 0.0), min(floor_w, 0.0), at.now_s)
        yield at.message(resource.owner, emergency_id, body, suffix=f":{resource.id}")


def _masked(at: Situation, party: str, body: EmergencyDeclare) -> EmergencyDeclare:
    """A total DSO names nothing below its node to the system operator."""
    if at.zone.model is not DsoModel.TOTAL_DSO or party != at.zone.system_operator:
        return body
    return replace(body, scope=next(iter(at.zone.market.nodes), ZONE), detail="")


def _within(resource: Resource, scope: str) -> bool:
    return scope in (ZONE, resource.id, resource.bus)


def _audience(at: Situation, members: list[Resource]) -> Iterator[str]:
    """Owners concerned, host, and the system operator where the DSO speaks to it."""
    yield from dict.fromkeys(resource.owner for resource in members)
    for party, role in at.zone.parties.items():
        between = at.zone.model is not DsoModel.DUAL_PARTICIPATION
        if role is Role.HOST or (role is Role.SYSTEM_OPERATOR and between):
            yield party
