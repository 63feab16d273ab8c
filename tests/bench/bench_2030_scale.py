"""What many devices and many connections cost the IEEE 2030.5 server: time to load them, and memory."""

import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from gateway.clock import wall
from gateway.journal.entries import Entry, Kind
from gateway.journal.store import Journal
from ieee2030_5.pki import make_pki
from ieee2030_5.records import Record, to_json
from tests.bench.load_2030 import Case, Server, context_of, served
from tests.bench.rows import Benchmark, Row, duration
from tests.bench.utility_2030 import devices, enrolled, feeder, names
from tests.scenarios.live import free_ports

DEVICES = 100_000
LOAD_S, LOAD_BYTES = 30.0, 2 * 2**30
"""Goals for all of them."""
IDLE = 500
IDLE_BYTES = 64 * 2**10
"""Goal for each idle connection."""
_BATCH = 10_000


def run_restart() -> Sequence[Row]:
    """A hundred thousand devices, each with the settings that it sent, on one feeder: from the journal to the tree."""
    with tempfile.TemporaryDirectory() as directory:
        certificates = Path(directory)
        make_pki(certificates, names(), ("localhost",), wall())
        now, members = int(wall()), devices(certificates, DEVICES)
        journal = Journal.open(certificates / "journal")
        _write(journal, (*enrolled(members, now), *feeder(members, now)))
        journal.close()
        command = [sys.executable, "-m", "tests.bench.restart_2030", str(certificates)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    if found["devices"] != DEVICES:
        raise RuntimeError(f"{found['devices']} of {DEVICES} devices came back")
    return (
        duration(f"2030.restart.{DEVICES}", found["seconds"], "s", "goal", LOAD_S),
        duration(f"2030.restart.{DEVICES}.cpu", found["cpu"], "s", "goal", LOAD_S),
        duration(f"2030.restart.{DEVICES}.memory", found["octets"] / 2**20, "MiB", "goal", LOAD_BYTES / 2**20),
    )


def _write(journal: Journal, records: Iterable[Record]) -> None:
    waiting = iter(records)
    while batch := list(islice(waiting, _BATCH)):
        journal.append_now([Entry(Kind.SERVED, item.kind, float(item.at_s), "", to_json(item)) for item in batch])


def run_idle() -> Sequence[Row]:
    """Connections that have each asked once and say nothing more."""
    with tempfile.TemporaryDirectory() as directory:
        certificates = Path(directory)
        make_pki(certificates, names(), ("localhost",), wall())
        context = context_of(certificates, names()[0])
        (port,) = free_ports(1)
        with served("ours", certificates, port, len(names())) as server:
            _wait(server)
            open_lines: list[socket.socket] = []

            def connect(count: int) -> None:
                for _ in range(count):
                    line = context.wrap_socket(socket.create_connection(("127.0.0.1", port)))
                    line.sendall(Case("GET", "/dcap").octets)
                    line.recv(4_096)
                    open_lines.append(line)

            connect(50)
            before = server.resident
            connect(IDLE)
            each = (server.resident - before) / IDLE
            for line in open_lines:
                line.close()
    return (duration("2030.idle", each / 2**10, "KiB", "goal", IDLE_BYTES / 2**10),)


def _wait(server: Server) -> None:
    for _ in range(600):
        if server.process.poll() is not None:
            raise RuntimeError(f"the server on port {server.port} ended with {server.process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", server.port)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"nothing listens on port {server.port}")


BENCHMARKS = (Benchmark("2030.restart", run_restart), Benchmark("2030.idle", run_idle))
