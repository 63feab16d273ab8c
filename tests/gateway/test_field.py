"""The adapters of a zone, and the recordings that are made of their sessions."""

import asyncio

from config.loader import load
from gateway.clock import wall
from gateway.field import callers, tapes_in
from gateway.tape.words import read


def test_with_and_without_tapes_the_same_connections_are_made(tmp_path):
    zone = load("config/zones/r1_short.yaml")

    async def both() -> tuple[list[frozenset[str]], list[frozenset[str]]]:
        plain = callers(zone, wall, {}, None)
        taped = callers(zone, wall, {}, tapes_in(tmp_path / "tapes", wall))
        return [a.resources for a in plain], [a.resources for a in taped]

    plain, taped = asyncio.run(both())
    assert sorted(plain, key=sorted) == sorted(taped, key=sorted)
    headers = [read(path).header for path in (tmp_path / "tapes").iterdir()]
    told = {(header.protocol, *header.devices, *header.stations) for header in headers}
    assert told == {("modbus", "A"), ("modbus", "E"), ("opcua", "C"), ("opcua", "SCADA"), ("mqtt", "D")}
