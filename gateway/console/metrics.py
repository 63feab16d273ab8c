"""Numbers of the running gateway as text that Prometheus reads: pace, controls, links, ages, coverage."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from gateway.console.seat import Seat
from gateway.console.status import coverage_pct
from protocols.signals import LinkState, Outcome

Sample = tuple[Mapping[str, str], float]


def metrics(seat: Seat) -> str:
    """All of them."""
    return "\n".join(line for family in _families(seat) for line in family) + "\n"


def _families(seat: Seat) -> Iterator[Iterable[str]]:
    at, pace = seat.situation(), seat.exchange.ground.pace
    zone, book = {"zone": at.zone.id, "model": at.zone.model.value}, at.book
    yield _family("cycle_duration_seconds_total", "counter", "Time spent in control cycles", [(zone, pace.cycles_s)])
    yield _family("cycles_total", "counter", "Control cycles since the start", [(zone, pace.cycles)])
    yield _family("cycle_duration_seconds", "gauge", "Of the last control cycle", [(zone, pace.cycle_s)])
    yield _family("psa_duration_seconds", "gauge", "Of the last power system analysis", [(zone, pace.study_s)])
    yield _family("psa_failed_total", "counter", "Analyses without an answer since the start", [(zone, pace.failed)])
    if book.last_solved_s is not None:
        age = [(zone, max(0.0, at.now_s - book.last_solved_s))]
        yield _family("psa_age_seconds", "gauge", "Since limits were last computed", age)
    outcomes = Counter("sent" if c.outcome is None else c.outcome.value for c in book.controls.values())
    controls = [({**zone, "outcome": name}, outcomes[name]) for name in ("sent", *Outcome)]
    yield _family("controls", "gauge", "Newest control of each resource by how far it has come", controls)
    links = Counter(at.snapshot.link(name) for name in at.zone.resources)
    states = [({**zone, "state": state.value}, links[state]) for state in LinkState]
    yield _family("links", "gauge", "Resources by the state of their link", states)
    ups = [
        ({**zone, "resource": name, "state": at.snapshot.link(name).value}, float(_is_up(at.snapshot.link(name))))
        for name in at.zone.resources
    ]
    yield _family("link_up", "gauge", "Whether a resource is heard", ups)
    ages = [
        ({**zone, "point": str(point), "quality": m.quality.value}, max(0.0, at.now_s - m.received_time_s))
        for point, m in sorted(at.snapshot.measurements.items())
    ]
    yield _family("point_age_seconds", "gauge", "Since a point was last heard", ages)
    yield _family("coverage_percent", "gauge", "Resources with a usable active power", [(zone, coverage_pct(at))])
    yield _family(
        "approvals_waiting", "gauge", "Actions that wait for an operator", [(zone, len(book.approvals.waiting))]
    )
    yield _family("emergencies", "gauge", "Emergencies that last", [(zone, len(book.emergencies.lasting))])
    yield _family("alarms", "gauge", "Alarms raised so far, by code and subject", [(zone, len(book.alarms))])


def _is_up(state: LinkState) -> bool:
    return state in (LinkState.ONLINE, LinkState.DEGRADED)


def _family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> Iterator[str]:
    """One metric with its samples, as the exposition format 0.0.4 has them."""
    yield f"# HELP ampacity_{name} {text}"
    yield f"# TYPE ampacity_{name} {kind}"
    for labels, value in samples:
        said = ",".join(f'{label}="{_escaped(one)}"' for label, one in labels.items())
        yield f"ampacity_{name}{{{said}}} {value:.6g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
