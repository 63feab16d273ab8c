"""Between which nodes of the network each participant of a study is connected, and what speaks against it."""

import re
from collections.abc import Iterator, Sequence

import numpy as np

from grid_engine.model import ABSENT, EARTH, TERMINAL_NAMES, IntArray, Network, Terminal
from grid_engine.results import Connection, Participant
from grid_engine.studies.instruments import node_table

_CONDUCTORS = re.compile("s1|s2|a|b|c")
_DELTA = {2: ((0, 1),), 3: ((0, 1), (1, 2), (2, 0))}


def ends(network: Network, participants: Sequence[Participant]) -> tuple[IntArray, IntArray]:
    """Both nodes (n_pair, 2) of every branch of every participant, and which participant (n_pair,) it is of."""
    table = node_table(network)
    bus = {name: n for n, name in enumerate(network.buses.ids)}
    unit = {name: n for n, name in enumerate(network.units.ids)}
    pairs: list[tuple[int, int]] = []
    owner: list[int] = []
    for n, p in enumerate(participants):
        own = _of_unit(network, unit[p.unit]) if p.unit else _of_bus(table[bus[p.bus]], p)
        pairs += own
        owner += [n] * len(own)
    return np.array(pairs, dtype=np.int64).reshape(-1, 2), np.array(owner, dtype=np.int64)


def branches_of(node: IntArray) -> tuple[IntArray, IntArray]:
    """Both nodes (n_pair, 2) of what a table with nodes (n, 3, 2) connects, and which entry (n_pair,) it is of."""
    there = np.all(node != ABSENT, axis=2)
    return node[there], np.nonzero(there)[0]


def faults(network: Network, participants: Sequence[Participant]) -> Iterator[str]:
    """What is wrong with the connections of participants at known buses."""
    table = node_table(network)
    bus = {name: n for n, name in enumerate(network.buses.ids)}
    for p in participants:
        if p.unit:
            if p.unit not in network.units.ids:
                yield f"{p.resource}: unit {p.unit} is not in the network"
            continue
        found = _conductors(p)
        if found is None:
            yield f"{p.resource}: phases {p.phases!r}" + (
                "" if p.connection is Connection.WYE else f" in {p.connection}"
            )
        elif p.bus in bus and any(table[bus[p.bus], terminal] == ABSENT for terminal in found):
            yield f"{p.resource}: bus {p.bus} has no phases {p.phases!r}"


def _of_unit(network: Network, unit: int) -> list[tuple[int, int]]:
    node = network.units.node[unit]
    return [(int(first), int(second)) for first, second in node if ABSENT not in (first, second)]


def _of_bus(nodes: IntArray, participant: Participant) -> list[tuple[int, int]]:
    """Branches at a bus with these nodes (n_terminal,)."""
    stands = [int(nodes[terminal]) for terminal in _conductors(participant) or ()]
    if participant.connection is Connection.WYE:
        neutral = int(nodes[Terminal.N])
        return [(node, neutral if neutral != ABSENT else EARTH) for node in stands]
    between = _DELTA[3] if len(stands) == 3 else _DELTA[2]
    return [(stands[first], stands[second]) for first, second in between]


def _conductors(participant: Participant) -> list[Terminal] | None:
    """Terminals that the participant's phases name, or None where they do not fit its connection."""
    names = _CONDUCTORS.findall(participant.phases)
    if "".join(names) != participant.phases or not names or len(set(names)) != len(names):
        return None
    found = [Terminal(TERMINAL_NAMES.index(name)) for name in names]
    legs = sum(terminal in (Terminal.S1, Terminal.S2) for terminal in found)
    fits = {
        Connection.WYE: legs in (0, len(found)),
        Connection.DELTA: not legs and len(found) > 1,
        Connection.SPLIT: legs == 2,
    }
    return found if fits[participant.connection] else None
