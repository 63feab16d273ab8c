"""Where network models are uploaded, approved and taken back while the gateway runs; what holds follows the clock."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from gateway.coordination import study
from gateway.coordination.market import Mode
from gateway.coordination.model_records import ModelEvent, ModelProposed, ModelRuled, ModelState
from gateway.exchange import CannotRecord
from gateway.ground import Ground
from gateway.models import Fits, LiveEngine, Model, Verdict
from grid_engine.revisions.boundaries import Boundaries

FOLDER = "models"
"""Of the storage directory: what was uploaded."""
FOLLOW_S = 1.0
TOLD = 10


class RefusedModel(Exception):  # noqa: N818 - a decision, not a defect
    """A model is not taken; `faults` says why."""

    def __init__(self, version: str, faults: tuple[str, ...]) -> None:
        super().__init__(f"{version}: " + "; ".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Upload:
    """A network file in the folder of models, and what is said of it."""

    version: str
    file: str
    by: str
    feeder: str = ""
    boundaries: Boundaries | None = None
    """The zone's own where absent."""
    from_s: float | None = None
    until_s: float | None = None
    because: str = ""


@dataclass(slots=True)
class ModelDesk:
    """The network models of one zone."""

    ground: Ground
    engine: LiveEngine
    directory: Path
    """Of the storage."""
    _base: Model = field(init=False)
    """Of the configuration."""
    _moved: bool = True
    """Whether what stands on the network has to be looked at again."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._base = self.engine.model

    async def propose(self, upload: Upload) -> ModelState:
        """Judge an uploaded model; whether it waits for approval or holds.

        Raises:
            RefusedModel: it has faults, or does not fit the zone.
            CannotRecord: the journal cannot be written now.
        """
        source = self.directory / FOLDER / upload.file
        boundaries = self._own_boundaries() if upload.boundaries is None else upload.boundaries
        found = (*self._untimely(upload), *self._strange(boundaries))
        async with self._turn:
            if not found:
                candidate = self._with(upload.feeder, source, upload.version)
                verdict = await self.engine.consider(candidate, self._fits(boundaries))
                found = verdict.faults
            if found:
                self._rejected(upload.version, found)
                raise RefusedModel(upload.version, found)
            at_s, digest = self.ground.now(), await asyncio.to_thread(_sha256, source)
            told = verdict.changes[:TOLD] + (
                (f"and {len(verdict.changes) - TOLD} more",) if len(verdict.changes) > TOLD else ()
            )
            proposed = ModelProposed(
                *(upload.version, upload.feeder, upload.file, digest, told, at_s, upload.by),
                *(upload.from_s, upload.until_s, upload.because),
            )
            mode = self.ground.zone.approval.mode
            alone = mode is Mode.AUTO or (mode is Mode.SEMI and not _structural(verdict.changes))
            await self._commit(
                proposed, *([ModelRuled(upload.version, at_s, approved=True, by=f"mode {mode.value}")] if alone else [])
            )
            structlog.get_logger().info(
                "model.proposed", model_version=upload.version, count=len(verdict.changes), detail="; ".join(told)
            )
        await self.follow()
        return self.ground.book.topology.models.records[upload.version].state

    async def rule(self, version: str, *, approved: bool, by: str) -> None:
        """Let a proposed model hold, or not.

        Raises:
            RefusedModel: no such model waits.
            CannotRecord: the journal cannot be written now.
        """
        record = self.ground.book.topology.models.records.get(version)
        if record is None or record.state is not ModelState.PROPOSED:
            waiting = [v for v, r in self.ground.book.topology.models.records.items() if r.state is ModelState.PROPOSED]
            raise RefusedModel(version, (f"it does not wait for approval; waiting: {', '.join(waiting) or 'none'}",))
        await self._commit(ModelRuled(version, self.ground.now(), approved=approved, by=by))
        await self.follow()

    async def roll_back(self, by: str) -> str:
        """Let the model before the one in force hold again; its version.

        Raises:
            RefusedModel: what is in force is the network of the configuration.
            CannotRecord: the journal cannot be written now.
        """
        record = self.ground.book.topology.models.in_force(self.ground.now())
        if record is None:
            raise RefusedModel(self.engine.model.version, ("it is the network of the zone file; nothing is before it",))
        await self._commit(
            ModelRuled(record.proposed.version, self.ground.now(), approved=False, by=by, detail="rolled back")
        )
        await self.follow()
        return self.engine.model.version

    async def adopt(self, base: Model) -> Verdict:
        """Take the network of the configuration anew; it holds where no uploaded one does."""
        if self.ground.book.topology.models.in_force(self.ground.now()) is not None:
            self._base = base
            return Verdict(base.version)
        async with self._turn:
            verdict = await self.engine.adopt(base, self._fits(self._own_boundaries()))
        if not verdict.faults:
            self._base = base
            self._taken()
        return verdict

    async def run(self, review: Callable[[], Awaitable[None]]) -> None:
        """Let each model hold when its time comes, until cancelled; `review` looks at what stands on the network."""
        while True:
            await self.follow()
            if self._moved:
                self._moved = False
                await review()
            await asyncio.sleep(FOLLOW_S)

    def failed(self, why: str, restart_s: float) -> None:
        """Say that this does not go on for now."""
        structlog.get_logger().error("model.failed", detail=why, restart_s=restart_s)

    async def follow(self) -> None:
        """Bring into force what is to hold now; what cannot be is rejected, and what was in force stays."""
        async with self._turn:
            record = self.ground.book.topology.models.in_force(self.ground.now())
            wanted = self._base
            if record is not None:
                one = record.proposed
                wanted = self._with(one.feeder, self.directory / FOLDER / one.file, one.version)
            if wanted == self.engine.model:
                return
            faults = () if record is None else await asyncio.to_thread(_altered, wanted, record.proposed)
            verdict = Verdict(wanted.version, faults)
            if not faults:
                verdict = await self.engine.adopt(wanted, self._fits(self._own_boundaries()))
            if not verdict.faults:
                structlog.get_logger().info(
                    "model.adopted",
                    model_version=verdict.version,
                    count=len(verdict.changes),
                    detail="; ".join(verdict.changes[:TOLD]),
                )
                self._taken()
                return
            self._rejected(wanted.version, verdict.faults)
            if record is None:
                self._base = self.engine.model
            else:
                await self._commit(
                    ModelRuled(
                        wanted.version,
                        self.ground.now(),
                        approved=False,
                        by="the gateway",
                        detail="; ".join(verdict.faults),
                    )
                )

    def _with(self, feeder: str, source: Path, version: str) -> Model:
        return Model(version, {**self._base.sources, feeder: source})

    def _fits(self, boundaries: Boundaries) -> Fits:
        return Fits(study.impact(self.ground.situation("model")), boundaries)

    def _own_boundaries(self) -> Boundaries:
        zone = self.ground.zone
        return Boundaries(
            interfaces={name: one.branch for name, one in zone.around.interfaces.items()},
            connections={name: resource.bus for name, resource in zone.resources.items()},
        )

    def _strange(self, told: Boundaries) -> tuple[str, ...]:
        """Where boundaries that came with a model are not those of the zone."""
        zone, own = self.ground.zone, self._own_boundaries()
        found = [
            f"interface {name}: not told, though the zone has it"
            for name in zone.market.nodes
            if told.td_interfaces and name not in told.td_interfaces
        ]
        for what, ours, theirs in (
            ("interface", own.interfaces, told.interfaces),
            ("connection", own.connections, told.connections),
        ):
            for name in (*ours, *(name for name in theirs if name not in ours)):
                if ours.get(name) != theirs.get(name):
                    is_ours, is_theirs = ours.get(name, "nowhere"), theirs.get(name, "nowhere")
                    found.append(f"{what} {name}: is at {is_ours} in the zone file, at {is_theirs} in the upload")
        return tuple(found)

    def _untimely(self, upload: Upload) -> tuple[str, ...]:
        known, zone_file = self.ground.book.topology.models.records.get(upload.version), self._base.version
        if upload.version == zone_file or (known is not None and known.state is ModelState.APPROVED):
            return (f"version {upload.version} is taken by another network; give it a new one",)
        begins_s = self.ground.now() if upload.from_s is None else upload.from_s
        if upload.until_s is not None and not begins_s < upload.until_s:
            return ("it ends before it begins",)
        if upload.feeder not in self._base.sources:
            return (
                f"the zone has no feeder {upload.feeder!r}; name one of {', '.join(map(repr, self._base.sources))}",
            )
        return ()

    async def _commit(self, *events: ModelEvent) -> None:
        if not await self.ground.ledger.commit(events):
            raise CannotRecord("the journal cannot be written; nothing was taken")

    def _taken(self) -> None:
        self._moved = True
        self.ground.wake.set()

    def _rejected(self, version: str, faults: tuple[str, ...]) -> None:
        structlog.get_logger().error(
            "model.rejected", model_version=version, count=len(faults), detail="; ".join(faults[:TOLD])
        )


def _structural(changes: tuple[str, ...]) -> bool:
    """Whether more changes than values of what is there."""
    return any(change.endswith((": added", ": removed")) for change in changes)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _altered(model: Model, proposed: ModelProposed) -> tuple[str, ...]:
    """Why the file is not the one that was approved; nothing where it is."""
    source = model.sources[proposed.feeder]
    try:
        same = _sha256(source) == proposed.sha256
    except OSError as error:
        return (f"{source} cannot be read: {error.strerror}",)
    return () if same else (f"{source} was altered since it was uploaded",)
