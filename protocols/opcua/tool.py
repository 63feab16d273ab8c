"""OPC UA by hand, as the command-line tools want it: folders of DERs, variables by NodeId or name, leased limits.

Below a target with a node, a variable is called by its name there; any other by its NodeId.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final, TypeVar

from protocols.opcua import tools
from protocols.opcua.client import OBJECTS, OpcUaClient
from protocols.opcua.errors import OpcUaError, UntrustedError
from protocols.opcua.model import CONTROL, RESULT, VALID_UNTIL, VERSION, Kind, ordered, verdict
from protocols.opcua.settings import Connection
from protocols.opcua.values import Reading
from protocols.port import Now
from protocols.tool import Found, Heard, Item, ToolError, Work, Written, number, same

T = TypeVar("T")

_MARKS_OF_A_DER: Final = frozenset(("ActivePower", "LimitMax", VERSION))
_SCAN_DEPTH: Final = 4
_TIME_STEP_S: Final = 2e-3
"""What a DateTime may lose on its way, both ends."""


async def use(connection: Connection, node: str, now: Now, work: Work[T]) -> T:
    """Open a session, do the work and close it.

    Args:
        connection: where, and by which security.
        node: NodeId of the folder whose variables are called by name; empty: none.
        now: Unix seconds UTC.
        work: what to do.

    Raises:
        ToolError: no session, or what the work raises.
    """
    async with _translated(), tools.connected(connection, now) as client:
        return await work(OpcUaTool(client, node, now))


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except UntrustedError as error:
        raise ToolError(f"{error}; put it into the trust list if it is the right one") from error
    except OpcUaError as error:
        raise ToolError(str(error)) from error


class OpcUaTool:
    """One session on one server."""

    def __init__(self, client: OpcUaClient, node: str, now: Now) -> None:
        self._client = client
        self._node = node
        self._now = now
        self._variables: dict[str, str] | None = None

    async def scan(self, found: Callable[[Found], None]) -> None:
        """Look around from the target's node, else from Objects, and tell every folder that holds variables."""
        path: list[str] = []
        names: dict[str, list[str]] = defaultdict(list)
        nodes: dict[str, str] = {"": self._node}
        for one in await tools.tree(self._client, self._node or OBJECTS, depth=_SCAN_DEPTH):
            path[one.depth :] = [one.entry.name]
            where = "/".join(path[: one.depth])
            if one.entry.kind == "Variable":
                names[where].append(one.entry.name)
            else:
                nodes["/".join(path)] = one.entry.node
        for where, variables in names.items():
            node = nodes.get(where, "")
            is_der = set(variables) >= _MARKS_OF_A_DER
            endpoint = {"node": node} if node else {}
            found(Found(where or "Objects", endpoint, {"node": node} if node else {}, tuple(variables), is_der=is_der))

    async def read(self, addresses: Sequence[str]) -> list[Item]:
        """Variables by name or NodeId; with none, all below the target's node or Objects."""
        if not addresses:
            tree = await tools.tree(self._client, self._node or OBJECTS, depth=_SCAN_DEPTH)
            return [_item(f.entry.node, f.reading, f.entry.name) for f in tree if f.reading is not None]
        nodes = await self._nodes(addresses)
        readings = await self._client.read(nodes)
        return [_item(address, reading) for address, reading in zip(addresses, readings, strict=True)]

    async def write(self, values: Mapping[str, str], lease_s: float | None) -> Written:
        """Write in one call; what belongs to a control of a DER goes with its switch, its end and a new version."""
        asked = {address: number(address, text) for address, text in values.items()}
        own = await self._of_control(asked, lease_s)
        written = {**asked, **own}
        in_order = {**{name: v for name, v in written.items() if name not in CONTROL}, **ordered(written)}
        nodes = dict(zip(in_order, await self._nodes(list(in_order)), strict=True))
        await self._client.read(list(nodes.values()))  # the types to write in are those last read
        codes = await self._client.write({nodes[name]: value for name, value in in_order.items()})
        refused = {name: codes[node] for name, node in nodes.items() if codes[node] != "Good"}
        if refused:
            raise ToolError(f"the server refuses {', '.join(f'{name}: {code}' for name, code in refused.items())}")
        effective = await self.read(list(in_order))
        obeyed = all(same(in_order[item.address], item.value, _TIME_STEP_S) for item in effective)
        why = await self._verdict() if own else ""
        more = ", ".join(f"{name}={value:.10g}" for name, value in own.items())
        detail = f"written{f' together with {more}' if more else ''}{f', but {why}' if why else ''}"
        return Written(tuple(effective), detail, obeyed and not why)

    async def watch(self, addresses: Sequence[str], every_s: float, heard: Heard) -> None:
        """By subscription, published every `every_s`."""
        items = await self.read(addresses)
        heard(items)
        names = [item.address for item in items]
        nodes = dict(zip(await self._nodes(names), names, strict=True))

        def changed(batch: Sequence[tuple[str, Reading]]) -> None:
            heard([_item(nodes[node], reading) for node, reading in batch])

        await tools.watch(self._client, list(nodes), every_s, changed)

    async def _names(self) -> dict[str, str]:
        """NodeIds by name of the variables below the target's node."""
        if self._variables is None:
            self._variables = await self._client.variables(self._node) if self._node else {}
        return self._variables

    async def _nodes(self, addresses: Sequence[str]) -> list[str]:
        known = await self._names()
        unknown = [address for address in addresses if address not in known and "=" not in address]
        if unknown:
            there = f"there is {', '.join(known)}" if known else "write its NodeId, as ns=2;s=Plant.Power"
            raise ToolError(f"{self._node or 'the target without a node'} has no {', '.join(unknown)}; {there}")
        return [known.get(address, address) for address in addresses]

    async def _of_control(self, asked: Mapping[str, float], lease_s: float | None) -> dict[str, float]:
        known = await self._names()
        is_control = VERSION in known and any(name in CONTROL for name in asked)
        if lease_s is not None and (not is_control or VALID_UNTIL not in known):
            raise ToolError(
                f"only the controls of a folder with {VALID_UNTIL} and {VERSION} end by themselves; "
                "point the target at one, as opc.tcp://host:4840?node=ns=2;s=A, or give --yes"
            )
        if not is_control:
            return {}
        (held,) = await self._client.read([known[VERSION]])
        own = {f"{name}Enabled": 1.0 for name in asked if f"{name}Enabled" in known}
        if VALID_UNTIL in known:
            own[VALID_UNTIL] = 0.0 if lease_s is None else round(self._now() + lease_s, 3)
        own[VERSION] = (held.value or 0.0) + 1
        return {name: value for name, value in own.items() if name not in asked}

    async def _verdict(self) -> str:
        """Why the device refuses the control; empty where it does not, or does not say."""
        known = await self._names()
        if RESULT not in known:
            return ""
        (result,) = await self._client.read([known[RESULT]])
        return verdict(result.value)


def _item(address: str, reading: Reading, name: str = "") -> Item:
    value = reading.value if reading.kind is not None else (reading.text or None)
    note = "" if reading.status == "Good" else reading.status
    if reading.kind is Kind.DATE_TIME and isinstance(value, float):
        note = datetime.fromtimestamp(value, UTC).isoformat() if value else "no time"
    return Item(address, value, name, quality=reading.quality, note=note, time_s=reading.source_time_s, writable=None)
