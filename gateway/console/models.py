"""Network models at the operator's desk: uploaded with their boundaries, approved, in force, taken back."""

from typing import Annotated

from pydantic import Field

from gateway.console.seat import Seat
from gateway.console.words import Act, Because, Id
from gateway.console.works import Element, Moment
from gateway.coordination.model_records import ModelRecord, ModelState
from gateway.exchange import CannotRecord
from gateway.model_desk import RefusedModel, Upload
from grid_engine.revisions.boundaries import Boundaries
from ieee2030_5.admin.api import Endpoint
from ieee2030_5.admin.refusal import Refusal
from ieee2030_5.admin.words import Word
from ieee2030_5.records import KeepError

Named = Annotated[dict[Element, Element], Field(max_length=100_000)]


class BoundariesIn(Word):
    """Where the zone ends."""

    td_interfaces: Named = Field(default_factory=dict)
    """Bus of the transmission system's supply, by the name of the interface."""
    interfaces: Named = Field(default_factory=dict)
    """Branch to another utility, by the name of the interface."""
    connections: Named = Field(default_factory=dict)
    """Bus by resource."""


class ModelIn(Act):
    """A network file that lies in the folder of uploaded models."""

    version: Id
    file: Id
    feeder: Annotated[str, Field(max_length=160)] = ""
    boundaries: BoundariesIn | None = None
    """Those of the zone file where absent."""
    from_s: Moment | None = None
    until_s: Moment | None = None
    because: Because


class ModelOut(Word):
    """A model that was uploaded."""

    version: str
    state: str
    in_force: bool
    feeder: str
    from_s: float | None
    until_s: float | None
    changes: list[str]
    """Against what was in force when it came."""
    at_s: float
    by: str
    because: str


class ModelList(Word):
    """All of them, the newest first."""

    in_force: str
    models: list[ModelOut]


class ModelRulingIn(Act):
    """What is to become of a model that waits."""

    approved: bool


def models(seat: Seat) -> ModelList:
    """What was uploaded, and what answers now."""
    held = seat.situation().book.topology.models
    found = [_told(seat, record) for record in reversed(held.records.values())]
    return ModelList(in_force=seat.models.engine.model.version, models=found)


async def upload(seat: Seat, what: ModelIn) -> ModelOut:
    """Judge a model: it holds where the zone approves by itself, waits otherwise, or is refused with every fault."""
    told = what.boundaries
    boundaries = None if told is None else Boundaries(told.td_interfaces, told.interfaces, told.connections)
    asked = Upload(what.version, what.file, what.by, what.feeder, boundaries, what.from_s, what.until_s, what.because)
    try:
        await seat.models.propose(asked)
    except RefusedModel as error:
        raise _refused(error, "mend what is named and upload it again") from error
    except CannotRecord as error:
        raise KeepError(str(error)) from error
    return _told(seat, seat.situation().book.topology.models.records[what.version])


async def rule(seat: Seat, version: str, what: ModelRulingIn) -> ModelOut:
    """Let a model hold that waits, or not."""
    try:
        await seat.models.rule(version, approved=what.approved, by=what.by)
    except RefusedModel as error:
        raise _refused(error, "`ampacity model list` shows what waits") from error
    except CannotRecord as error:
        raise KeepError(str(error)) from error
    return _told(seat, seat.situation().book.topology.models.records[version])


async def roll_back(seat: Seat, what: Act) -> ModelList:
    """Let the model before the one in force hold again."""
    try:
        await seat.models.roll_back(what.by)
    except RefusedModel as error:
        raise _refused(error, "upload the network that is to hold instead") from error
    except CannotRecord as error:
        raise KeepError(str(error)) from error
    return models(seat)


def _refused(error: RefusedModel, remedy: str) -> Refusal:
    return Refusal(409, str(error), "model", f"what was in force stays; {remedy}")


def _told(seat: Seat, record: ModelRecord) -> ModelOut:
    one = record.proposed
    return ModelOut(
        version=one.version,
        state=record.state.value,
        in_force=record.state is ModelState.APPROVED and seat.models.engine.model.version == one.version,
        feeder=one.feeder,
        from_s=one.from_s,
        until_s=one.until_s,
        changes=list(one.changes),
        at_s=one.at_s,
        by=one.by,
        because=one.because,
    )


ENDPOINTS: tuple[Endpoint[Seat], ...] = (
    Endpoint("GET", "/models", "Network models that were uploaded", lambda s, _, __: models(s), gives=ModelList),
    Endpoint("POST", "/models", "Upload a network model", lambda s, _, b: upload(s, b), ModelIn, ModelOut, 201),
    Endpoint(
        "POST",
        "/models/{version}/ruling",
        "Approve or reject a model that waits",
        lambda s, a, b: rule(s, a.names["version"], b),
        ModelRulingIn,
        ModelOut,
    ),
    Endpoint(
        "POST",
        "/model-rollback",
        "Let the model before the one in force hold again",
        lambda s, _, b: roll_back(s, b),
        Act,
        ModelList,
    ),
)

NAMES = {"version": Id}
