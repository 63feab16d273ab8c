"""What compiled code needs to know of one reduced network: plain arrays, complex numbers as pairs of real ones."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grid_engine.flow.kernel.elimination import Pattern, Rows
from grid_engine.model import BoolArray, ComplexArray, FloatArray, IntArray

IndexArray = NDArray[np.int32]


class Branches(NamedTuple):
    """Pairs between rows of the network; row n, one beyond the last, is the earth."""

    first: IndexArray
    """Shape (n_pair,)."""
    second: IndexArray
    weight: FloatArray
    """Shape (n_pair, 2): volts per unit at both ends over the pair's nominal ones; 0 at the earth."""
    law: FloatArray
    """Shape (n_pair, LAW): see `kernel.law`."""
    slot: IntArray
    """Shape (n_pair, 4): entries of the matrix that couple first with first, first with second, and so on; or -1."""


class Choices(NamedTuple):
    """Elements that may stand otherwise in each case, such as tap changers: changes of the matrix to choose from."""

    built: IndexArray
    """Shape (n_choice,): the state in which the matrix was built, counted from the first."""
    start: IndexArray
    """Shape (n_choice + 1,): places of element i in `row`."""
    row: IndexArray
    """Rows of the network."""
    table: IndexArray
    """Shape (n_choice,): where in `change` the first state begins; a state of m rows takes m * m places."""
    change: FloatArray
    """Shape (n, 2): admittance less that of the state in which the matrix was built."""
    slot_start: IndexArray
    """Shape (n_choice + 1,)."""
    slot: IntArray
    """Entries of the matrix, m * m per element."""


class Reduced(NamedTuple):
    """One network, ready for Newton's method."""

    plan: Pattern
    places: Rows
    """Of the matrix."""
    block: FloatArray
    """Shape (n_entry, 4): admittances."""
    source: FloatArray
    """Shape (n, 2): injected currents."""
    branches: Branches
    choices: Choices


class Triangles(NamedTuple):
    """Factors and their places in one: see `elimination.Pattern` and `blocks.Factors`."""

    lower_start: IndexArray
    lower: IndexArray
    lower_block: FloatArray
    upper_start: IndexArray
    upper: IndexArray
    upper_block: FloatArray
    inverse: FloatArray


class Tail(NamedTuple):
    """The last rows of a network, where its choices are: what is left there once the other rows are eliminated."""

    start: IndexArray
    """Shape (n_tail + 1,): CSR places, with room for what elimination fills in; columns counted from the first row."""
    column: IndexArray
    diagonal: IndexArray
    """Shape (n_tail,): where the diagonal entries stand."""
    block: FloatArray
    """Shape (n_entry, 4), with all elements as the network was built."""
    table: IndexArray
    """Shape (n_choice,): where in `change` the first state begins."""
    change: FloatArray
    """Shape (n, 2): admittance less that of the state in which the network was built."""
    slot_start: IndexArray
    """Shape (n_choice + 1,)."""
    slot: IndexArray
    """Entries of the tail that each element changes, in the order of its matrix."""


class Chord(NamedTuple):
    """The same with the Jacobian of one base case, factorised but for its tail."""

    factors: Triangles
    """Inverses and upper rows of all rows but the tail; lower rows of all, where they belong to the others' columns."""
    tail: Tail
    source: FloatArray
    """Shape (n, 2)."""
    base: FloatArray
    """Shape (n, 2): voltages of the base case."""
    scale: FloatArray
    """Shape (n_pair,): from volt-amperes to per unit; 0 for pairs that are left out."""
    first: IndexArray
    second: IndexArray
    weight: FloatArray
    law: FloatArray
    kind: IndexArray
    """Shape (n_pair,): see `kernel.lanes`."""
    slope: FloatArray
    """Shape (n_pair, 4): of the pairs' currents in the base case, contained in the Jacobian."""
    node_start: IndexArray
    """CSR rows, one per node of the whole network: voltages from those of the reduced one."""
    node_column: IndexArray
    node_value: FloatArray
    """Shape (n_entry, 2)."""


class Cases(NamedTuple):
    """What differs from case to case, and how well to solve it."""

    power: ComplexArray
    """Shape (n_pair, n_case): injections in volt-amperes."""
    choice: IndexArray
    """Shape (n_choice, n_case): states, counted from the first."""
    start: ComplexArray
    """Shape (n, n_case): voltages to start from; without rows, those of the base case."""
    tolerance: float
    """Per unit, of the estimated error of a voltage."""
    limit: int
    """Most iterations."""


class Output(NamedTuple):
    """What a batch fills in; one of the first two may have no rows."""

    voltage: ComplexArray
    """Shape (n_node, n_case), per unit; of no meaning where not converged."""
    magnitude: FloatArray
    """The same without angles."""
    iterations: IndexArray
    """Shape (n_case,)."""
    converged: BoolArray
    """Shape (n_case,)."""
