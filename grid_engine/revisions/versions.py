"""Versions of a network over time, as values: what is in force, what may follow it, what is laid over it for a while.

A candidate that is not valid changes nothing: what was in force stays. Overlays change switching, taps, service and
ratings without a new network. Times are epoch seconds; the caller owns the clock.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from grid_engine.model import Network
from grid_engine.modelling.checks import faults
from grid_engine.results import NetworkState, Rating, Study
from grid_engine.revisions.differences import Change, differences


@dataclass(frozen=True, slots=True, eq=False)
class Revision:
    """A network and when it holds."""

    network: Network
    from_s: float = -math.inf
    until_s: float = math.inf
    """After that the one before holds again."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Overlay:
    """What differs from the network for a while, such as an emergency switching or a dynamic rating."""

    id: str
    state: NetworkState = field(default_factory=NetworkState)
    """It goes before what is measured."""
    ratings: Mapping[str, Rating] = field(default_factory=dict)
    """By asset; in place of the network's and the study's."""
    from_s: float = -math.inf
    until_s: float = math.inf


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a candidate does not hold; everything stays as it was."""

    version: str
    """Of the candidate network, or id of the overlay."""
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class InForce:
    """What holds at one time."""

    network: Network
    overlays: tuple[Overlay, ...] = ()
    """Later ones go before earlier ones."""

    @property
    def version(self) -> str:
        """What decisions cite: the version of the network, and the ids of what is laid over it."""
        return "+".join([self.network.version, *(overlay.id for overlay in self.overlays)])

    def study(self, study: Study) -> Study:
        """The study with the overlays in it."""
        state, ratings = study.state, dict(study.ratings)
        for overlay in self.overlays:
            state = _laid_over(state, overlay.state)
            ratings |= overlay.ratings
        return replace(study, state=state, ratings=ratings)


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Every revision and overlay that was accepted, oldest first."""

    revisions: tuple[Revision, ...]
    """At least one, of which one holds always."""
    overlays: tuple[Overlay, ...] = ()

    def at(self, now_s: float) -> InForce:
        """The latest accepted revision that holds at `now_s`, with every overlay that does."""
        holding = [revision for revision in self.revisions if revision.from_s <= now_s < revision.until_s]
        laid = tuple(overlay for overlay in self.overlays if overlay.from_s <= now_s < overlay.until_s)
        return InForce((holding or self.revisions)[-1].network, laid)


def begin(network: Network, needed: Collection[str] = ()) -> History | Rejection:
    """A history that begins with `network`, which holds until something follows it."""
    found = (*(str(fault) for fault in faults(network)), *_missing(network, needed))
    return Rejection(network.version, found) if found else History((Revision(network),))


def propose(history: History, candidate: Revision, needed: Collection[str] = ()) -> History | Rejection:
    """The history with `candidate` in it, or why not.

    Args:
        history: So far.
        candidate: What is to hold, and when.
        needed: Ids of buses that something is connected to.
    """
    network = candidate.network
    found = [str(fault) for fault in faults(network)]
    found += _missing(network, needed)
    if not candidate.from_s < candidate.until_s:
        found.append(f"network {network.version}: holds from {candidate.from_s:g} to {candidate.until_s:g} s, never")
    if any(past.network.version == network.version and past.network is not network for past in history.revisions):
        found.append(f"network {network.version}: the version is taken by another network; give it a new one")
    if found:
        return Rejection(network.version, tuple(found))
    return replace(history, revisions=(*history.revisions, candidate))


def roll_back(history: History, now_s: float) -> History | Rejection:
    """The history in which, from `now_s` on, the network before the one in force holds again."""
    current = history.at(now_s).network
    position = max(n for n, revision in enumerate(history.revisions) if revision.network is current)
    earlier = [past for past in history.revisions[:position] if past.network is not current]
    if not earlier:
        return Rejection(current.version, (f"network {current.version}: there is none before it",))
    back = Revision(earlier[-1].network, from_s=now_s, reason=f"instead of {current.version}")
    return replace(history, revisions=(*history.revisions, back))


def lay_over(history: History, overlay: Overlay, now_s: float) -> History | Rejection:
    """The history with `overlay` in it (in place of an earlier one of its id), or why not."""
    found = tuple(_overlay_faults(history.at(now_s).network, overlay))
    if found:
        return Rejection(overlay.id, found)
    others = tuple(other for other in history.overlays if other.id != overlay.id)
    return replace(history, overlays=(*others, overlay))


def lift(history: History, overlay_id: str) -> History:
    """The history without that overlay."""
    return replace(history, overlays=tuple(other for other in history.overlays if other.id != overlay_id))


def changes(history: History, candidate: Network, now_s: float) -> tuple[Change, ...]:
    """What `candidate` differs in from what is in force."""
    return differences(history.at(now_s).network, candidate)


def _missing(network: Network, needed: Collection[str]) -> list[str]:
    there = set(network.buses.ids)
    return [f"bus {bus}: is gone, though something is connected to it; keep it" for bus in needed if bus not in there]


def _overlay_faults(network: Network, overlay: Overlay) -> Iterator[str]:
    if not overlay.from_s < overlay.until_s:
        yield f"overlay {overlay.id}: holds from {overlay.from_s:g} to {overlay.until_s:g} s, never"
    branches = set(network.branch_ids)
    tables: tuple[tuple[str, Collection[str], Collection[str]], ...] = (
        ("transformer", overlay.state.taps, {*network.transformers.ids, *network.sequence_transformers.ids}),
        ("switch", overlay.state.switches_closed, set(network.switches.ids)),
        ("asset", overlay.ratings, {*branches, *network.buses.ids}),
    )
    for word, named, known in tables:
        yield from (f"overlay {overlay.id}: the network has no {word} {name}" for name in named if name not in known)
    known = {*branches, *network.shunts.ids, *network.regulators.ids, *network.capacitor_controls.ids}
    for name in overlay.state.in_service:
        if name not in known:
            yield f"overlay {overlay.id}: the network has no element {name} to take out of or into service"
    yield from _tap_faults(network, overlay)


def _tap_faults(network: Network, overlay: Overlay) -> Iterator[str]:
    for table in (network.transformers, network.sequence_transformers):
        ranges = dict(zip(table.ids, zip(table.tap_min.tolist(), table.tap_max.tolist(), strict=True), strict=True))
        for name, tap in overlay.state.taps.items():
            low, high = ranges.get(name, (tap, tap))
            if not low <= tap <= high:
                yield f"overlay {overlay.id}: transformer {name} has no position {tap}, only {low} to {high}"


def _laid_over(below: NetworkState, above: NetworkState) -> NetworkState:
    return NetworkState(
        source_voltage_pu=below.source_voltage_pu if above.source_voltage_pu is None else above.source_voltage_pu,
        taps={**below.taps, **above.taps},
        switches_closed={**below.switches_closed, **above.switches_closed},
        in_service={**below.in_service, **above.in_service},
    )
