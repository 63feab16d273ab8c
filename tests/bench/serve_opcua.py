"""A process with a thousand variables of ours: prints its port, counts as often as each line of stdin says."""

import asyncio
import sys
from collections.abc import Mapping

from protocols.opcua.served import ServerSettings, Shown, Type, Value, Variable
from protocols.opcua.server import OpcUaServer

ITEMS = 1000
NAMESPACE = "urn:bench"
PAUSE_S = 0.1
"""Between two rounds, as long as a subscriber's publishing interval."""


def variables() -> list[Variable]:
    """In folders of a hundred."""
    return [Variable((f"F{i // 100}", f"N{i}"), f"N{i}", Type.NUMBER, "counts") for i in range(ITEMS)]


async def nobody(_who: str, _values: Mapping[str, Value]) -> Mapping[str, str]:
    """Nothing here is writable."""
    return {}


def unsecured() -> OpcUaServer:
    """On a free port of this machine."""
    settings = ServerSettings("127.0.0.1", 0, NAMESPACE, "urn:bench:server", "bench")
    return OpcUaServer(settings, variables(), lambda: 0.0, nobody, lambda _: None)


async def main() -> None:
    server = unsecured()
    await server.prepare()
    await server.show({variable.node: Shown(0.0) for variable in variables()})
    await server.start()
    print(server.url, flush=True)
    value = 0.0
    while line := await asyncio.to_thread(sys.stdin.readline):
        for _ in range(int(line)):
            value += 1.0
            await server.show({variable.node: Shown(value) for variable in variables()})
            await asyncio.sleep(PAUSE_S)
    await server.stop()


if __name__ == "__main__":
    asyncio.run(main())
