"""What an engineer does by hand at a server: find it, look around, read, write, watch."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from protocols.opcua.client import OBJECTS, Changed, Entry, OpcUaClient
from protocols.opcua.settings import Connection
from protocols.opcua.values import Reading
from protocols.port import Now

QUEUE = 100
"""Changes of one variable that a watch takes between two publications."""
OPC_UA_ITSELF = "i="
"""How NodeIds begin that every server has; what is a server's own has a namespace."""


@dataclass(frozen=True, slots=True)
class Found:
    """One node of a tree, with what it holds where it is a variable."""

    entry: Entry
    depth: int
    reading: Reading | None


@dataclass(frozen=True, slots=True)
class Written:
    """What became of one write."""

    status: str
    """Name of the server's StatusCode; `Good` where it took the value."""
    before: Reading
    after: Reading


@asynccontextmanager
async def connected(connection: Connection, now: Now) -> AsyncIterator[OpcUaClient]:
    """A session on a server, closed in any case.

    Raises:
        LinkDownError: nobody answers, or the server refuses; `UntrustedError` where we refuse it.
    """
    client = OpcUaClient(connection, now)
    try:
        await client.open()
        yield client
    finally:
        await client.close()


async def tree(client: OpcUaClient, node: str = OBJECTS, *, depth: int = 3, most: int = 1000) -> list[Found]:
    """What a server has of its own below a node, in the order of browsing, with the values of variables.

    Ends at `depth` levels or `most` nodes, so that a large or circular address space ends too.

    Raises:
        OpcUaError: it could not be found out.
    """
    found: list[tuple[Entry, int]] = []
    waiting = [(entry, 0) for entry in reversed(await client.browse(node))]
    seen = {node}
    while waiting and len(found) < most:
        entry, level = waiting.pop()
        if entry.node.startswith(OPC_UA_ITSELF) or entry.node in seen:
            continue
        seen.add(entry.node)
        found.append((entry, level))
        if level + 1 < depth:
            waiting += [(below, level + 1) for below in reversed(await client.browse(entry.node))]
    variables = [entry.node for entry, _ in found if entry.kind == "Variable"]
    readings = dict(zip(variables, await client.read(variables), strict=True))
    return [Found(entry, level, readings.get(entry.node)) for entry, level in found]


async def write(client: OpcUaClient, node: str, value: float) -> Written:
    """Write a number in the variable's own type, and read it back.

    Raises:
        UnfitError: it does not fit, or is no number there; nothing was sent.
        OpcUaError: unknown what the server did.
    """
    (before,) = await client.read([node])
    codes = await client.write({node: value})
    (after,) = await client.read([node])
    return Written(codes[node], before, after)


async def watch(client: OpcUaClient, nodes: Sequence[str], publishing_s: float, changed: Changed) -> None:
    """Hand every change to `changed` until cancelled.

    Raises:
        LinkDownError: the link is lost.
    """
    await client.subscribe(nodes, publishing_s, changed, queue=QUEUE)
    while True:
        await client.idle(publishing_s)
