"""The command-line tools on a foreign peer, without the command line around them."""

from gateway.fieldtools import opening
from gateway.fieldtools.target import parse
from protocols.tool import Found, Item, Written


async def scan(target: str) -> list[Found]:
    found: list[Found] = []
    await opening.use(parse(target), lambda tool: tool.scan(found.append))
    return found


async def read(target: str, *addresses: str) -> dict[str, Item]:
    return {item.address: item for item in await opening.use(parse(target), lambda tool: tool.read(addresses))}


async def write(target: str, lease_s: float | None = None, **values: str) -> Written:
    named = {name.replace("__", "."): value for name, value in values.items()}
    return await opening.use(parse(target), lambda tool: tool.write(named, lease_s))
