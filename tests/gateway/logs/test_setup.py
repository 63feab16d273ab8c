import asyncio
import io
import logging
import threading

import orjson
import pytest
import structlog
from structlog.contextvars import bound_contextvars

from gateway.logs.outlet import Outlet
from gateway.logs.setup import configure

NOW_S = 1_790_000_000.25


class Stream(io.TextIOWrapper):
    def __init__(self, *, terminal: bool):
        super().__init__(io.BytesIO(), encoding="utf-8")
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.fixture(autouse=True)
def restored():
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def written(act, *, terminal=False, **settings) -> list[bytes]:
    stream = Stream(terminal=terminal)
    outlet = configure(stream=stream, now=lambda: NOW_S, **settings)
    act(structlog.get_logger())
    outlet.close()
    return stream.buffer.getvalue().splitlines()


def test_a_line_is_one_json_object_with_its_place_in_time_first():
    (line,) = written(lambda log: log.info("limit.clear", resource="A"), common={"zone": "R1", "model": "DP"})
    assert line == (
        b'{"time":"2026-09-21T14:13:20.250Z","level":"info","event":"limit.clear",'
        b'"zone":"R1","model":"DP","resource":"A"}'
    )


def test_cycle_and_conversation_come_from_the_context_also_in_tasks():
    async def work(log):
        with bound_contextvars(cycle_id="k1", corr_id="d1"):
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.to_thread(log.info, "cycle.end"))
        log.info("cycle.end")

    first, second = map(orjson.loads, written(lambda log: asyncio.run(work(log))))
    assert (first["cycle_id"], first["corr_id"]) == ("k1", "d1")
    assert "cycle_id" not in second


def test_what_is_below_the_level_is_not_written():
    assert written(lambda log: (log.debug("cycle.start"), log.info("cycle.end")), level="warning") == []


def test_an_error_carries_its_trace_in_the_same_line():
    def act(log):
        log.error("adapter.crashed", exc_info=OSError("gone"))

    (line,) = written(act)
    assert "OSError: gone" in orjson.loads(line)["exception"]


def test_what_json_does_not_know_is_written_as_text():
    (line,) = written(lambda log: log.info("cycle.end", status={1, 2}, path=b"x"))
    assert orjson.loads(line)["status"] == "{1, 2}"


def test_libraries_that_warn_are_heard():
    def act(_):
        logging.getLogger("somebody.else").warning("lost %s", "it")
        logging.getLogger("somebody.else").info("not this")

    (line,) = map(orjson.loads, written(act))
    assert (line["event"], line["library"], line["text"]) == ("library.message", "somebody.else", "lost it")


def test_a_terminal_gets_an_aligned_coloured_line():
    (line,) = written(lambda log: log.warning("device.link", resource="A", state="lost"), terminal=True)
    assert line.startswith(b"\x1b[2m14:13:20.250\x1b[0m \x1b[33mwarning")
    assert b"device.link" in line
    assert line.endswith(b"state=\x1b[0mlost")


class Stalled(io.BytesIO):
    """A reader that takes nothing until told to."""

    def __init__(self):
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()

    def write(self, data):
        self.begun.set()
        self.go_on.wait()
        return super().write(data)


def test_a_stalled_reader_costs_lines_but_never_time():
    stream = Stalled()
    outlet = Outlet(stream, lambda count: b"lost %d" % count, capacity=3)
    outlet.write(b"first")
    stream.begun.wait()
    for number in range(10):
        outlet.write(b"%d" % number)
    stream.go_on.set()
    outlet.close()
    assert stream.getvalue().splitlines() == [b"first", b"lost 7", b"0", b"1", b"2"]


class Gone(io.RawIOBase):
    def write(self, data):
        raise BrokenPipeError


def test_a_reader_who_has_gone_is_ignored():
    outlet = Outlet(Gone(), lambda count: b"")
    outlet.write(b"line")
    outlet.close()
