"""aio2030dot5 as a client, in a process and a Python of its own; prints JSON.

`identity PEM...` tells LFDI and SFDI of certificates; `meet HOST PORT CERT KEY` says who is there, by its
certificate and by its own word; `read HOST PORT CERT KEY` walks the usage points and reads them and the clock.
"""

import asyncio
import json
import sys
from pathlib import Path

import aio2030dot5 as peer


def identity(*certificates):
    """What it makes of certificates."""
    lfdis = [peer.lfdi_from_pem(Path(path).read_text(encoding="utf-8")) for path in certificates]
    return [[lfdi, int(peer.sfdi_from_lfdi(lfdi)), peer.is_valid_sfdi(peer.sfdi_from_lfdi(lfdi))] for lfdi in lfdis]


async def meter_at(host, port, certificate, key):
    """A client of that server; it speaks ECDHE-ECDSA-AES128-CCM8 and no other suite."""
    return await peer.Meter.from_files(host, certificate, key, int(port), min_connect_interval=0, request_spacing=0)


async def read(*where):
    """The newest value of every channel that it finds, and the server's clock."""
    meter = await meter_at(*where)
    profile = await meter.discover()
    found = await meter.read(profile, profile.channels, include_time=True)
    values = [[one.unit, one.value, one.duration] for one in found.values.values()]
    return {"values": sorted(values), "time_s": found.meter_time.current_time.timestamp()}


async def meet(*where):
    """Whom it finds."""
    meter = await meter_at(*where)
    there = await meter.probe_tls()
    if not there.client_accepted:
        return {"accepted": False, "reason": str(there.auth_reason)}
    info = await meter.probe()
    return {
        "accepted": True,
        "certificate": [there.lfdi, int(there.sfdi)],
        "self": [info.lfdi, info.sfdi and int(info.sfdi)],
    }


if __name__ == "__main__":
    command, *rest = sys.argv[1:]
    does = {"meet": meet, "read": read}
    print(json.dumps(identity(*rest) if command == "identity" else asyncio.run(does[command](*rest))))
