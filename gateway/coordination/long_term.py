"""What can be procured and what will be needed in years to come, as planners import it; the newest import holds.

These needs are for planners: they are kept and shown, and nobody is asked for offers. What the zone finds itself for
the day ahead is posted and bought as `NEED.Post`; services are bought under the programs of the zone file.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.coordination.market import Service

HOUR_S = 3_600.0


class Direction(StrEnum):
    """Where a service moves power."""

    UP = "up"
    """More injection or less consumption."""
    DOWN = "down"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class ServiceDefinition:
    """A distribution service that can be procured."""

    id: str
    kind: Service
    direction: Direction
    response_s: float
    """From the call until the power is there."""
    notice_s: float
    min_duration_s: float
    uniform_price: bool
    """Everybody is paid the clearing price; else what each bid."""
    availability_per_mwh: float
    utilisation_per_mwh: float
    penalty_per_mwh: float
    grace_pct: float
    """Shortfall up to this part of what was expected counts as none."""
    stackable: bool
    """May be paid beside a wholesale schedule for the same energy."""
    baseline: str
    """Method by which the power without the order is found."""


@dataclass(frozen=True, slots=True)
class LongTermNeed:
    """Power that the network will lack at a place."""

    id: str
    service: str
    """Defined beside it, or a program of the zone file."""
    place: str
    """Bus, line, transformer or switch of the network, resource, or interface to the transmission grid."""
    power_w: float
    """Positive for more injection."""
    start_s: float
    end_s: float
    hours: float
    """Of use that are expected from start to end."""
    price_cap_per_mwh: float | None = None
    """Beyond which building is cheaper; nothing where none is told."""


@dataclass(frozen=True, slots=True)
class NeedsImported:
    """Planners said what can be procured and what will be needed, in place of what they had said before."""

    import_id: str
    services: tuple[ServiceDefinition, ...]
    needs: tuple[LongTermNeed, ...]
    at_s: float
    by: str


@dataclass(frozen=True, slots=True)
class NeedFault:
    """Why an import is not taken."""

    record: str
    """`service` or `need`."""
    id: str
    problem: str


def faults(told: NeedsImported, programs: Collection[str], places: Collection[str]) -> Iterator[NeedFault]:
    """Everything that is wrong with an import.

    Args:
        programs: of the zone file, which needs may name as their service.
        places: names that a need may be at.
    """
    for record, ids in (("service", [s.id for s in told.services]), ("need", [n.id for n in told.needs])):
        yield from (NeedFault(record, name, "stands twice") for name in _twice(ids))
    yield from (
        NeedFault("service", s.id, "is a program of the zone file; give it another id")
        for s in told.services
        if s.id in programs
    )
    defined = {service.id: service for service in told.services}
    for need in told.needs:
        service = defined.get(need.service)
        if service is None and need.service not in programs:
            known = ", ".join(dict.fromkeys((*defined, *programs))) or "none"
            yield NeedFault("need", need.id, f"there is no service {need.service!r}; there are: {known}")
        if need.place not in places:
            yield NeedFault("need", need.id, f"place {need.place!r} is not in the network")
        yield from (NeedFault("need", need.id, problem) for problem in _impossible(need, service))


def _impossible(need: LongTermNeed, service: ServiceDefinition | None) -> Iterator[str]:
    if not need.power_w:
        yield "it needs no power"
    if not need.start_s < need.end_s:
        yield "it ends before it begins"
    elif need.hours > (need.end_s - need.start_s) / HOUR_S:
        yield f"{need.hours:g} hours do not fit between its start and its end"
    way = Direction.UP if need.power_w > 0 else Direction.DOWN
    if need.power_w and service is not None and service.direction not in (way, Direction.BOTH):
        yield f"it needs power {way.value}, and service {service.id} moves it {service.direction.value}"


def _twice(ids: Sequence[str]) -> list[str]:
    return [name for name, count in Counter(ids).items() if count > 1]
