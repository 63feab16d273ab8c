"""500 Modbus devices with 30 points each, polled once and twice a second by our adapters in one process.

The adapters feed an image and, in a run of its own, the telemetry store too, as in the gateway. The peer
polls the same server with the same reads over bare asyncio, and does nothing with the values.
"""

import asyncio
import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from gateway import clock
from gateway.historian import Historian
from gateway.snapshot import Image
from gateway.supervise import supervised
from protocols.modbus.adapter import ModbusAdapter
from protocols.modbus.register import Register
from protocols.modbus.settings import MappedRegister, MappedStation, ModbusSettings
from protocols.points import Phase, Point, Quantity
from protocols.signals import LinkChanged, Measurement, Signal
from tests.bench.fleet import BASE, HOST, POINTS, Load, answer, bare, many_files, measured, process, serve
from tests.bench.rows import Benchmark, Row, duration, percentile

DEVICES = 500
WARM_S, MEASURE_S = 6.0, 15.0
ROUNDS = 3
"""At most: one in which others took the machine, so that more than a poll of each device never came, is repeated."""
NAME = f"modbus.fleet.{DEVICES}x{POINTS}"
_QUANTITIES = tuple(
    (quantity, phase)
    for quantity in (
        Quantity.ACTIVE_POWER_W,
        Quantity.REACTIVE_POWER_VAR,
        Quantity.APPARENT_POWER_VA,
        Quantity.CURRENT_A,
        Quantity.VOLTAGE_V,
        Quantity.VOLTAGE_PU,
    )
    for phase in Phase
)
"""The 30 points of each device."""


def run(poll_s: float) -> Sequence[Row]:
    return asyncio.run(_run(poll_s))


async def _run(poll_s: float) -> Sequence[Row]:
    async with process(serve, DEVICES) as server:
        ports = await answer(server)
        for _ in range(ROUNDS):
            runs = {
                "bare": await _polled(server, poll_s, bare, ports),
                "ours": await _polled(server, poll_s, gateway, ports, False),
                "stored": await _polled(server, poll_s, gateway, ports, True),
            }
            if max(missing for _, _, missing in runs.values()) < DEVICES:
                break
    (peer_cpu, peer_slip, peer_missing), (cpu, slip, missing), (stored_cpu, stored_slip, _) = runs.values()
    peer, name = "raw asyncio", f"{NAME}.{poll_s:g}s"
    return (
        duration(f"{name}.cpu", cpu, "cores", peer, peer_cpu),
        duration(f"{name}.cpu.stored", stored_cpu, "cores", peer, peer_cpu),
        duration(f"{name}.slip.p99", 1e3 * slip, "ms", peer, 1e3 * peer_slip),
        duration(f"{name}.slip.p99.stored", 1e3 * stored_slip, "ms", peer, 1e3 * peer_slip),
        Row(f"{name}.missing", missing, "polls", peer, peer_missing),
    )


async def _polled(
    server: Connection, poll_s: float, work: Callable[..., None], ports: object, *more: object
) -> tuple[float, float, int]:
    """Processor share of one client's process, p99 of the slip of its polls, s, and how many of them never came."""
    async with process(work, ports, poll_s, WARM_S, MEASURE_S, *more) as client:
        load = await answer(client)
    assert isinstance(load, Load)
    server.send("arrivals")
    arrivals = await answer(server)
    assert isinstance(arrivals, list)
    slips = _slips(arrivals, poll_s)
    planned = round(DEVICES * MEASURE_S / poll_s)
    return load.cpu_share, percentile(slips, 99), max(planned - len(slips), 0)


def _slips(arrivals: Sequence[tuple[int, float]], poll_s: float) -> list[float]:
    """How much later than planned each poll came, s; the plan of a device is the grid that its earliest poll gives."""
    end_s = max(at_s for _, at_s in arrivals)
    polls: dict[int, list[float]] = defaultdict(list)
    for device, at_s in arrivals:
        if end_s - at_s < MEASURE_S:
            polls[device].append(at_s)
    slips = []
    for times in polls.values():
        late = [at_s - k * poll_s for k, at_s in enumerate(times)]
        slips += [at_s - min(late) for at_s in late]
    return slips


# --- the process that is measured -----------------------------------------------------------------


def gateway(  # noqa: PLR0917 - a process takes its arguments in order
    pipe: Connection, ports: Sequence[int], poll_s: float, warm_s: float, measure_s: float, store: bool
) -> None:
    """Poll the fleet with one adapter per device, each behind its crash barrier."""
    many_files()
    pipe.send(asyncio.run(_gateway(ports, poll_s, warm_s, measure_s, store)))


async def _gateway(ports: Sequence[int], poll_s: float, warm_s: float, measure_s: float, store: bool) -> Load:
    image = Image({})
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        history: Callable[[Sequence[Measurement]], None] | None = None
        if store:
            history = (await stack.enter_async_context(Historian.open(directory / "telemetry.sqlite"))).offer

        def emit(signals: Sequence[Signal]) -> None:
            readings = [signal for signal in signals if isinstance(signal, Measurement)]
            for signal in signals:
                if isinstance(signal, Measurement | LinkChanged):
                    image.fold(signal)
            if history is not None:
                history(readings)

        async with asyncio.TaskGroup() as tasks:
            adapters = [ModbusAdapter(_settings(k, port, poll_s), clock.wall) for k, port in enumerate(ports)]
            running = [
                tasks.create_task(supervised(f"D{k}", partial(adapter.run, emit), _crashed, random.Random(k)))
                for k, adapter in enumerate(adapters)
            ]
            load = await measured(warm_s, measure_s)
            for task in running:
                task.cancel()
    seen = len(image.freeze(clock.wall()).usable)
    assert seen == len(ports) * POINTS, f"{seen} points were read"
    return load


def _crashed(name: str, error: Exception, restart_s: float) -> None:
    print(f"{name} crashed: {error}; starts anew in {restart_s} s")


def _settings(index: int, port: int, poll_s: float) -> ModbusSettings:
    name = f"D{index}"
    registers = tuple(
        MappedRegister(Point(name, quantity, phase), Register(BASE + 2 * k))
        for k, (quantity, phase) in enumerate(_QUANTITIES)
    )
    return ModbusSettings(HOST, (MappedStation(name, registers),), port, poll_s=poll_s)


BENCHMARKS = (
    Benchmark("modbus.fleet.1s", partial(run, 1.0)),
    Benchmark("modbus.fleet.0.5s", partial(run, 0.5)),
)
