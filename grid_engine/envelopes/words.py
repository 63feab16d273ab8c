"""Question and answer of envelope studies as plain values: no numpy, so that anyone may import the words."""

from dataclasses import dataclass, field
from enum import StrEnum

from grid_engine.results import Envelope, Reason, Status, Study, Violation


class Sharing(StrEnum):
    """How what the network can take is divided."""

    EQUAL = "equal"
    """The same share of capability for all, stopped by the first limit that anybody meets."""
    MAXIMUM = "maximum"
    """The largest total, whoever has it."""
    PROPORTIONAL = "proportional"
    """The largest product of shares (proportional fairness, Kelly, Maulloo and Tan 1998)."""
    MAX_MIN = "max_min"
    """An equal cap in watts; who is not stopped by a limit goes on."""
    PRO_RATA = "pro_rata"
    """An equal share of capability; who is not stopped by a limit goes on."""
    LIFO = "lifo"
    """The latest connection gives way first."""
    MERIT = "merit"
    """The highest-priced gives way first."""
    ROTATIONAL = "rotational"
    """Energy curtailed so far, and in this interval, is equalised: who gave way most gives way last."""


class Mode(StrEnum):
    """What the others do while one participant uses its envelope."""

    JOINT = "joint"
    """Anything within theirs."""
    RESIDUAL = "residual"
    """They stay where they are held."""


class Direction(StrEnum):
    """Which ends of the envelopes are asked for; the other end is then no power."""

    EXPORT = "export"
    IMPORT = "import"
    BOTH = "both"


class Ended(StrEnum):
    """What ended the search for one interval; whatever did, its envelopes are proven."""

    FAILED = "failed"
    """There was nothing to search for: see the status."""

    UNLIMITED = "unlimited"
    """Nobody meets a limit."""
    DONE = "done"
    """Nothing more to gain than the gap that was asked for, or the rule leaves no choice."""
    ROUNDS = "rounds"
    """After as many linearisations as were allowed."""
    DEADLINE = "deadline"
    """No time left; the envelopes are the best proven ones so far, at least the equal share."""


@dataclass(frozen=True, slots=True)
class EnvelopeStudy:
    """One question for envelopes, complete in itself: it can be sent to a worker process."""

    study: Study
    """Network, participants, loads, limits, margin, contingencies; its purpose and policy are not looked at.

    In joint mode loads, and participants that are not adjustable, are the background, as far as `held_w` and the
    loads say; the others start from no power.
    """
    sharing: Sharing = Sharing.MAXIMUM
    mode: Mode = Mode.JOINT
    direction: Direction = Direction.BOTH
    utilisation: float = 0.0
    """Part of its envelope that everybody is sure to use, from 0 to 1; joint mode only.

    At 0 the envelopes hold whoever uses them and whoever does not (robust). At 1 they hold when everybody is at
    the limit at once (deterministic).
    """
    mixed: bool = True
    """Whether some may import while others export, if both directions are asked for and `utilisation` is 0.

    Otherwise the envelopes of each direction hold by themselves: all go the same way, or nowhere.
    """
    interval_s: float = 300.0
    """Length of an interval, for `Sharing.ROTATIONAL`."""
    gap: float = 1e-3
    """The search ends where a linearisation promises no more than this over what is proven, relative.

    Or where one gains no more than this, near where it was made.
    """
    rounds: int = 8
    """Most linearisations per interval and direction."""
    proof_runs: int = 1000
    """AC power flows at random use of the envelopes that must show no violation, per interval."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What AC power flows within the envelopes of one interval have shown.

    A violation is what it is everywhere in the engine: more than 1e-4 pu, or 0.1 % of a rating, beyond the bound,
    the margin counted.
    """

    interval: int
    direction: Direction
    """Both where everybody could choose its own."""
    runs: int
    """At powers that are uniformly random between utilisation * envelope and envelope, each by itself."""
    violations: int
    """Runs that break a limit or have no solution."""
    corners: int
    """Runs at which everybody uses all or least, as is worst for one of the limits that are near."""
    corner_violations: int
    asset_id: str = ""
    """Of the limit that came nearest, or went farthest beyond."""
    reason: Reason | None = None
    phase: str = ""
    case: str = ""
    value: float = 0.0
    limit: float = 0.0
    unit: str = ""

    @property
    def holds(self) -> bool:
        """Whether no run broke a limit."""
        return not self.violations and not self.corner_violations


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one interval went."""

    interval: int
    ended: Ended
    export_w: float
    """Sum of all ceilings."""
    import_w: float
    """Sum of all floors, positive."""
    gap: float
    """What the last linearisation, corrected by AC power flows, still gives more than is proven, relative.

    It says how near the proven shares are to the optimum of their surroundings; 0 for rules that have no optimum.
    """
    fairness: float
    """Jain's index of what is allowed over what was asked for, both directions together."""
    rounds: int
    """Linearisations."""
    preexisting: tuple[Violation, ...] = ()
    """Standing before anybody moves; dealt with as the study says."""


@dataclass(frozen=True, slots=True)
class EnvelopeAnswer:
    """What the engine says to one `EnvelopeStudy`."""

    study_id: str
    status: Status
    """`SOLVED` where every interval is, otherwise that of the first one that is not.

    `INFEASIBLE`: violations stand that the study does not allow; `preexisting` of the outcomes names them.
    """
    model_version: str
    envelopes: tuple[Envelope, ...] = ()
    """Of every adjustable participant in every interval that is solved; without supply it may do nothing."""
    outcomes: tuple[Outcome, ...] = ()
    proofs: tuple[Proof, ...] = ()
    unsupplied: tuple[str, ...] = ()
    detail: str = ""
    """For people."""
    power_flows: int = 0
    """AC solves spent."""
    duration_s: float = field(default=0.0, compare=False)
    """Filled by the caller, who owns the clock."""
