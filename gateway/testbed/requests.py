"""What every request to the testbed's control has in common: strict JSON, and an answer that says what to correct."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

Megawatt = Annotated[float, Field(ge=-10_000, le=10_000, allow_inf_nan=False)]
Identifier = Annotated[str, Field(min_length=1, max_length=64)]
Seconds = Annotated[float, Field(ge=0, le=3_600, allow_inf_nan=False)]


class Request(BaseModel):
    """One request as it is posted; unknown fields are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


RequestT = TypeVar("RequestT", bound=Request)


class MistakeError(Exception):
    """A request that cannot be carried out."""

    def __init__(self, field: str, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.field, self.problem, self.remedy = field, problem, remedy


Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Door:
    """Where one kind of request is posted."""

    path: str
    told: Mapping[str, object]
    """What it is for and takes, for people."""
    handle: Handler


def door(path: str, kind: type[RequestT], act: Callable[[RequestT], None]) -> Door:
    """A door for requests of a kind; `act` carries them out, and raises `MistakeError` where it cannot."""

    async def handle(request: web.Request) -> web.Response:
        try:
            act(kind.model_validate_json(await request.read()))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "."
            return refusal(400, first["msg"], field, f"send {', '.join(kind.model_fields)}")
        except MistakeError as error:
            return refusal(400, error.problem, error.field, error.remedy)
        return web.json_response({"status": "done"})

    fields = {
        name: "required" if field.is_required() else field.get_default(call_default_factory=True)
        for name, field in kind.model_fields.items()
    }
    return Door(path, {"for": " ".join((kind.__doc__ or "").split()), "fields": fields}, handle)


def refusal(status: int, problem: str, field: str, remedy: str) -> web.Response:
    """What every interface of the testbed answers to bad input."""
    return web.json_response({"error": problem, "field": field, "what_to_do": remedy}, status=status)


def iso(at_s: float) -> str:
    """A time as it is told."""
    return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")
