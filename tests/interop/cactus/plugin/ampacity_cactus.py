"""The administrator in procedures of cactus-client, on the admin API of an Ampacity gateway.

`AMPACITY_ADMIN_URL` and `AMPACITY_ADMIN_TOKEN` say where the API is. A device of the gateway stands for each
client: cactus-client's direct clients are one themselves, its aggregators speak for one.

`AMPACITY_SIMULATIONS` and `AMPACITY_SIMULATION_S` shorten the procedure that goes on for three days.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from cactus_client.admin import hookimpl
from cactus_client.model.config import ClientConfig
from cactus_client.model.context import AdminContext
from cactus_client.model.execution import ActionResult, StepExecution
from cactus_client.sep2 import lfdi_from_cert_file
from cactus_client.time import utc_now
from cactus_test_definitions.server.admin_instructions import AdminInstruction, AdminInstructionType
from cactus_test_definitions.server.test_procedures import ClientType

MODES = (
    *("opModExpLimW", "opModImpLimW", "opModGenLimW", "opModLoadLimW"),
    *("opModConnect", "opModEnergize", "opModFixedW", "rampTms"),
)
KINDS = {
    "DeviceCapability": "dcap",
    "EndDeviceList": "edev",
    "FunctionSetAssignmentsList": "fsa",
    "DERProgramList": "derp",
    "DERList": "der",
    "MirrorUsagePoint": "mup",
    "MirrorUsagePointList": "mup",
}
"""What the admin API calls the resources whose rates are set."""
NOTIFICATION_HOST = "localhost"
"""Where cactus-client's service for notifications listens."""
FIRST_START_S = 20
"""Until a scheduled control begins for which the procedure names no time."""
NOTIFIED_S = 5
"""Within which the gateway has told its subscribers of a change, also on a machine that is busy."""
DURATION_S = 300
SCHEDULED_S = 30
"""Of a control that is in force, and of one that is scheduled, for which the procedure names no duration."""


Given = Mapping[str, Any]
"""The parameters of an instruction."""


class RefusedError(Exception):
    """The admin API has refused a request."""


class Api:
    """Requests to the admin API."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer's JSON; `None` where there is nothing of that name."""
        async with self._session.request(method, f"/v1{path}", json=body) as answer:
            if answer.status == 404 and method in ("GET", "DELETE"):
                return None
            if answer.status >= 400:
                raise RefusedError(f"{method} {path}: {answer.status} {await answer.text()}")
            return await answer.json() if answer.content_type == "application/json" else None


Instruction = Callable[[Api, ClientConfig, Given], Awaitable[None]]


@asynccontextmanager
async def api() -> AsyncIterator[Api]:
    """A connection to the admin API."""
    headers = {"Authorization": f"Bearer {os.environ['AMPACITY_ADMIN_TOKEN']}"}
    async with aiohttp.ClientSession(os.environ["AMPACITY_ADMIN_URL"], headers=headers) as session:
        yield Api(session)


def device_of(client: ClientConfig) -> str:
    """Name of the device that stands for a client; the gateway calls one that an aggregator brings by its LFDI."""
    return client.lfdi if client.type == ClientType.AGGREGATOR else client.id


async def own_program(here: Api, client: ClientConfig) -> str:
    """Name of the program that the device of a client has of its own: the one in its URI."""
    return str((await here.ask("GET", f"/devices/{device_of(client)}"))["href"]).rpartition("/")[2]


def certificate_of(client: ClientConfig) -> str:
    """LFDI of whoever connects."""
    return lfdi_from_cert_file(client.certificate_file)


class AmpacityAdmin:
    """What `cactus_client.admin` finds."""

    def __init__(self) -> None:
        self._assignments: dict[str, str] = {}
        """Names of the assignments by annotation of the procedure."""
        self._programs: dict[int, str] = {}
        """Names of the programs by primacy."""
        self._last_end_s = 0
        """When the last scheduled control ends; the next one begins there."""
        self._instructions: Mapping[str, Instruction] = {
            AdminInstructionType.ENSURE_END_DEVICE: self._ensure_device,
            AdminInstructionType.ENSURE_FSA: self._ensure_assignment,
            AdminInstructionType.ENSURE_DER_PROGRAM: self._ensure_program,
            AdminInstructionType.ENSURE_DER_CONTROL_LIST: self._ensure_list,
            AdminInstructionType.ENSURE_MUP_LIST_EMPTY: self._clear_meters,
            AdminInstructionType.CREATE_DER_CONTROL: self._control,
            AdminInstructionType.CREATE_DEFAULT_DER_CONTROL: self._default,
            AdminInstructionType.CLEAR_DER_CONTROLS: self._clear,
            AdminInstructionType.SET_POLL_RATE: self._poll_rate,
            AdminInstructionType.SET_POST_RATE: self._post_rate,
            AdminInstructionType.SET_CLIENT_ACCESS: self._access,
        }

    @hookimpl
    async def admin_setup(self, context: AdminContext) -> ActionResult:
        """Begin with a gateway that knows none of the clients."""
        _shorten(context)
        async with api() as here:
            await _forget(here, context)
        return ActionResult.done()

    @hookimpl
    async def admin_teardown(self, context: AdminContext) -> ActionResult:
        """Leave nothing behind for the next procedure."""
        async with api() as here:
            await _forget(here, context)
        return ActionResult.done()

    @hookimpl
    async def admin_instruction(
        self, instruction: AdminInstruction, step: StepExecution, context: AdminContext
    ) -> ActionResult | None:
        """Carry out one instruction; a type that nobody has heard of is left to others."""
        carry_out = self._instructions.get(instruction.type)
        if carry_out is None:
            return None
        async with api() as here:
            await carry_out(here, context.client_config_for(instruction.client), instruction.parameters)
        if step.source.action.type == "notifications":
            # The step looks for the notification at once, and warns where it is not there yet.
            await asyncio.sleep(NOTIFIED_S)
        return ActionResult.done()

    async def _ensure_device(self, here: Api, client: ClientConfig, given: Given) -> None:
        """Registered, or on the list of those that may register themselves."""
        name, registered = device_of(client), given["registered"]
        if registered and (known := await here.ask("GET", f"/devices/{name}")) and known["registered_s"] is not None:
            return
        if client.type == ClientType.AGGREGATOR:
            agent = {"lfdi": certificate_of(client), "notify_hosts": [NOTIFICATION_HOST], "may_enrol": True}
            await here.ask("PUT", f"/aggregators/{client.id}", {**agent, "profile": "csip_aus"})
            if not registered:
                return
        device = {"lfdi": client.lfdi, "pin": client.pin, "max_w": client.max_watts, "min_w": -client.max_watts}
        await here.ask("PUT", f"/devices/{name}", {**device, "profile": "csip_aus", "in_band": not registered})
        if client.type == ClientType.AGGREGATOR:
            await here.ask("PUT", f"/aggregators/{client.id}/members/{name}")

    async def _ensure_assignment(self, here: Api, client: ClientConfig, given: Given) -> None:
        """The first one that a procedure speaks of is the one that every device has; only the next is made."""
        annotation = given.get("annotation", "base")
        name = self._assignments.setdefault(annotation, str(len(self._assignments) + 1))
        await here.ask("PUT", f"/devices/{device_of(client)}/assignments/{name}", {"description": annotation})

    async def _ensure_program(self, here: Api, client: ClientConfig, given: Given) -> None:
        """In the first assignment the own program of the device, in another one a program beside it."""
        assignment = self._assignments.get(given.get("fsa_annotation", ""), "1")
        device, own = device_of(client), await own_program(here, client)
        name = own if assignment == "1" else f"second-{assignment}"
        primacy = given.get("primacy", 65)
        self._programs[primacy] = name
        wanted = {"device": device, "primacy": primacy, "assignment": assignment}
        await here.ask("PUT", f"/programs/{name}", {**wanted, "description": f"Program {primacy}"})

    async def _ensure_list(self, here: Api, client: ClientConfig, given: Given) -> None:
        """Every program has a list of controls, and every list can be subscribed to."""
        name = await self._program(here, client, given)
        if await here.ask("GET", f"/programs/{name}") is None:
            raise RefusedError(f"there is no program {name}")

    async def _program(self, here: Api, client: ClientConfig, given: Given) -> str:
        return self._programs.get(given.get("primacy", -1)) or await own_program(here, client)

    async def _control(self, here: Api, client: ClientConfig, given: Given) -> None:
        now = int(utc_now().timestamp())
        scheduled = given["status"] == "scheduled"
        duration = given.get("duration_seconds", SCHEDULED_S if scheduled else DURATION_S)
        control: dict[str, Any] = {"modes": _modes(given), "duration_s": duration}
        if scheduled:
            offset = given.get("start_offset_seconds")
            start = max(now + FIRST_START_S, self._last_end_s) if offset is None else now + offset
            control["start_s"], self._last_end_s = start, start + duration
        if "randomizeStart_seconds" in given:
            control["randomize_start_s"] = given["randomizeStart_seconds"]
        await here.ask("POST", f"/programs/{await self._program(here, client, given)}/controls", control)

    async def _default(self, here: Api, client: ClientConfig, given: Given) -> None:
        wanted: dict[str, Any] = {"modes": _modes(given)}
        if "setGradW" in given:
            wanted["setGradW"] = given["setGradW"]
        await here.ask("PUT", f"/programs/{await self._program(here, client, given)}/default", wanted)

    async def _clear(self, here: Api, client: ClientConfig, given: Given) -> None:
        """Cancel what is in force or to come: all of it, or the newest."""
        known = await here.ask("GET", f"/devices/{device_of(client)}")
        for program in known["programs"]:
            if given.get("all", False):
                await here.ask("POST", f"/programs/{program['name']}/clear")
                continue
            controls = (await here.ask("GET", f"/programs/{program['name']}/controls"))["controls"]
            live = [one for one in controls if one["status"] in ("scheduled", "active")]
            for one in sorted(live, key=lambda one: one["created_s"])[-1:]:
                await here.ask("POST", f"/controls/{one['mrid']}/cancel")
        self._last_end_s = 0

    async def _clear_meters(self, here: Api, client: ClientConfig, given: Given) -> None:
        await here.ask("POST", f"/meters/clear?device={client.id}")

    async def _poll_rate(self, here: Api, client: ClientConfig, given: Given) -> None:
        await here.ask("PUT", f"/rates/poll/{KINDS[given['resource']]}", {"seconds": given["rate_seconds"]})

    async def _post_rate(self, here: Api, client: ClientConfig, given: Given) -> None:
        await here.ask("PUT", f"/rates/post/{KINDS[given['resource']]}", {"seconds": given["rate_seconds"]})

    async def _access(self, here: Api, client: ClientConfig, given: Given) -> None:
        state = "enabled" if given["granted"] else "denied"
        await here.ask("PUT", f"/access/{certificate_of(client)}", {"state": state})


def _modes(given: Given) -> dict[str, Any]:
    """The modes of a control in W and, for shares, percent, as the procedure and the admin API both have them."""
    return {name: given[name] for name in MODES if name in given}


async def _forget(here: Api, context: AdminContext) -> None:
    """Remove every client of the procedure, whatever hangs on it, and what was set for all."""
    for client in context.client_configs.values():
        for name in dict.fromkeys((device_of(client), client.id)):
            await here.ask("DELETE", f"/devices/{name}")
        await here.ask("DELETE", f"/access/{certificate_of(client)}")
    for which in ("poll", "post"):
        for kind in set(KINDS.values()):
            await here.ask("DELETE", f"/rates/{which}/{kind}")


def _shorten(context: AdminContext) -> None:
    """Let a simulated client go on for fewer rounds, in quicker succession, where the caller wants that."""
    wanted = {"total_simulations": "AMPACITY_SIMULATIONS", "frequency_seconds": "AMPACITY_SIMULATION_S"}
    for step in context.test_procedure.steps:
        if step.action.type == "simulate-client" and step.action.parameters is not None:
            given = {name: int(os.environ[variable]) for name, variable in wanted.items() if variable in os.environ}
            step.action.parameters.update(given)
