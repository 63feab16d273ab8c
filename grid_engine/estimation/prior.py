"""What is known of the powers of a network before its meters are asked: means, and independent errors that add up.

Every uncertain thing is a number of mean 0 and variance 1; a matrix says how much each of them moves each
power. So loads whose branches err together, power factors and an error that many forecasts share are told in
one and the same way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import coo_array, csr_array

from grid_engine.estimation.words import Doubt, Expected
from grid_engine.flow.pairs import (
    Pairs,
    constant_power,
    load_pairs,
    load_power,
    unit_pairs,
    unit_power,
)
from grid_engine.model import BoolArray, FloatArray, IntArray, Network
from grid_engine.results import Participant
from grid_engine.studies.connections import ends

_LEAST_VA = 1.0
"""No power is known better than this, so that every reading leaves something to move."""
_POWER_FACTOR = 0.1
"""Standard deviation of reactive power, over apparent, beside what the error of active power explains."""


@dataclass(frozen=True, slots=True, eq=False)
class Customers:
    """Loads, then units, then participants: whoever has a power of its own."""

    ids: tuple[str, ...]
    pairs: Pairs
    """Of constant power: what is expected and read is what flows, whatever law of voltage a load follows."""
    owner: IntArray
    """Shape (n_pair,)."""
    sign: FloatArray
    """Shape (n,): -1 for loads, whose power counts positive when consumed; 1 for the others."""
    share: FloatArray
    """Shape (2, n_pair): part of its owner's active and reactive power; both add up to 1."""
    power: FloatArray
    """Shape (2, n): what is expected, injected watts and vars."""
    sigma: FloatArray
    """Shape (2, n): of the active power, and of what reactive power errs beside following it."""
    metered: BoolArray
    """Shape (2, n): the power is a meter's reading, not an expectation."""


def customers(network: Network, participants: Sequence[Participant], doubt: Doubt) -> Customers:
    """Everybody at what the network says of them; participants at nothing, and the units that they are as well."""
    loads, load_owner = load_pairs(network)
    units, unit_owner = unit_pairs(network)
    nodes, participant_owner = ends(network, participants)
    n_load, n_unit = len(network.loads.ids), len(network.units.ids)
    played = {p.unit for p in participants}
    unit_va = unit_power(network) * np.array([name not in played for name in network.units.ids])[unit_owner]
    owner = np.concatenate([load_owner, n_load + unit_owner, n_load + n_unit + participant_owner])
    nominal = np.concatenate([load_power(network), unit_va, np.zeros(len(nodes))])
    ids = (*network.loads.ids, *network.units.ids, *(p.resource for p in participants))
    power = np.array([np.bincount(owner, part, minlength=len(ids)) for part in (nominal.real, nominal.imag)])
    size = np.hypot(*power)
    return Customers(
        ids=ids,
        pairs=constant_power(
            np.concatenate([loads.first, units.first, nodes[:, 0]]),
            np.concatenate([loads.second, units.second, nodes[:, 1]]),
        ),
        owner=owner,
        sign=np.where(np.arange(len(ids)) < n_load, -1.0, 1.0),
        share=np.stack([_shares(part, owner, len(ids)) for part in (nominal.real, nominal.imag)]),
        power=power,
        sigma=np.maximum(np.stack([doubt.load * size, _POWER_FACTOR * size]), _LEAST_VA),
        metered=np.zeros((2, len(ids)), dtype=np.bool_),
    )


def told(known: Customers, words: Mapping[str, Expected]) -> Customers:
    """The same with what is expected of some of them; other ids are not looked at."""
    power, sigma = known.power.copy(), known.sigma.copy()
    for n, name in enumerate(known.ids):
        word = words.get(name)
        if word is None:
            continue
        ratio = power[1, n] / power[0, n] if power[0, n] else 0.0
        power[0, n] = known.sign[n] * word.power_w
        power[1, n] = power[0, n] * ratio if word.power_var is None else known.sign[n] * word.power_var
        size = float(np.hypot(*power[:, n]))
        sigma[:, n] = word.sigma_w, _POWER_FACTOR * size if word.sigma_var is None else word.sigma_var
    return replace(known, power=power, sigma=np.maximum(sigma, _LEAST_VA))


def read(known: Customers, value: FloatArray, sigma: FloatArray) -> Customers:
    """The same with meters of their own: shape (2, n) each, watts and vars injected, not a number where there is none.

    Reactive power that has no meter follows an active power that has one, by the power factor expected.
    """
    there = np.isfinite(value)
    follows = there[0] & ~there[1] & (known.power[0] != 0)
    ratio = np.divide(known.power[1], known.power[0], out=np.zeros(len(known.ids)), where=known.power[0] != 0)
    power = np.where(there, value, known.power)
    power[1] = np.where(follows, value[0] * ratio, power[1])
    return replace(known, power=power, sigma=np.where(there, sigma, known.sigma), metered=known.metered | there)


def _shares(power: FloatArray, owner: IntArray, n: int) -> FloatArray:
    """Parts of what an owner's branches add up to; equal ones where that is nothing."""
    total, count = np.bincount(owner, power, minlength=n)[owner], np.bincount(owner, minlength=n)[owner]
    return np.asarray(np.where(total != 0, power / np.where(total != 0, total, 1), 1 / np.maximum(count, 1)))


def spread(known: Customers, doubt: Doubt, region: IntArray) -> csr_array:
    """Shape (2 n_pair, n_error): watts, then vars, of every pair for each independent error.

    Errors: of active powers by customer, of reactive powers by customer, the common one of each `region` (n,) of
    customers, then those of the split.
    """
    n, n_pair = len(known.ids), len(known.owner)
    owner, pair = known.owner, np.arange(n_pair)
    active, reactive = known.share
    ratio = np.divide(known.power[1], known.power[0], out=np.zeros(n), where=known.power[0] != 0)
    tied = np.where(known.metered[1], 0, ratio * known.sigma[0])
    common = doubt.common * np.where(known.metered, 0, known.power)[:, owner]
    shared = 2 * n + region[owner]
    parts = [
        (pair, owner, active * known.sigma[0, owner]),
        (n_pair + pair, owner, reactive * tied[owner]),
        (n_pair + pair, n + owner, reactive * known.sigma[1, owner]),
        (pair, shared, active * common[0]),
        (n_pair + pair, shared, reactive * common[1]),
    ]
    n_error = 2 * n + int(region.max(initial=-1)) + 1
    splits, several = _splits(known, doubt.split)
    parts += [(part * n_pair + at, n_error + part * several + to, size) for part, (at, to, size) in enumerate(splits)]
    row, column, value = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return coo_array((value, (row, column)), shape=(2 * n_pair, n_error + 2 * several)).tocsr()


_Entries = tuple[IntArray, IntArray, FloatArray]


def _splits(known: Customers, doubt: float) -> tuple[list[_Entries], int]:
    """What one branch has more and all of the same customer have less, for watts and vars; and how many there are.

    Branches of a customer stand one after the other.
    """
    owner = known.owner
    count = np.bincount(owner, minlength=len(known.ids))
    which = np.flatnonzero(count[owner] > 1)
    first = np.cumsum(count) - count
    error = np.repeat(np.arange(len(which)), count[owner[which]])
    turn = np.arange(len(error)) - np.searchsorted(error, np.arange(len(which)))[error]
    other = first[owner[which[error]]] + turn
    entries = []
    for part in range(2):
        size = doubt * np.abs(known.share[part, which] * known.power[part, owner[which]])
        moved = (other == which[error]) - known.share[part, other]
        entries.append((other, error, size[error] * moved))
    return entries, len(which)
