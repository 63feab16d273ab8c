# ruff: noqa: N802 - the peer names its callbacks
"""opendnp3 (yadnp3) for the benchmark, in a process of its own.

`outstation PORT POINTS` serves and says so; `master PORT ROUNDS` polls all analogs and prints the milliseconds of each.
"""

import json
import sys
import threading
import time

import opendnp3 as dnp

POINTS = 1000


class Values(dnp.ISOEHandler):
    """Counts the values of a poll, as whoever reads them in Python has to look at each."""

    def __init__(self):
        super().__init__()
        self.seen = 0
        self.whole = threading.Event()

    def BeginFragment(self, info):
        pass

    def EndFragment(self, info):
        pass

    def OnRawAPDU(self, *args):
        pass

    def Process(self, info, values):
        if str(info.gv).rpartition(".")[2].startswith("Group30"):
            self.seen += sum(1 for value in values if value.value is not None)
            if self.seen >= POINTS:
                self.whole.set()


class MasterSide(dnp.IMasterApplication):
    def Now(self):
        return dnp.UTCTimestamp(0)


class Commands(dnp.ICommandHandler):
    def Begin(self):
        pass

    def End(self):
        pass

    def Select(self, command, index):
        return dnp.CommandStatus.NOT_SUPPORTED

    def Operate(self, command, index, handler, kind):
        return dnp.CommandStatus.NOT_SUPPORTED


class OutstationSide(dnp.IOutstationApplication):
    pass


def outstation(manager, port, points):
    endpoint, mode = dnp.IPEndpoint("127.0.0.1", port), dnp.ServerAcceptMode.CloseExisting
    channel = manager.AddTCPServer("s", dnp.LogLevels(), mode, endpoint, None)
    config = dnp.OutstationStackConfig(dnp.DatabaseConfig(points))
    config.link.LocalAddr, config.link.RemoteAddr = 10, 1
    commands, application = Commands(), OutstationSide()
    session = channel.AddOutstation("o", commands, application, config)
    session.Enable()
    print("ready", flush=True)
    threading.Event().wait()
    return commands, application


def master(manager, port, rounds):
    endpoint = [dnp.IPEndpoint("127.0.0.1", port)]
    channel = manager.AddTCPClient("c", dnp.LogLevels(), dnp.ChannelRetry.Default(), endpoint, "0.0.0.0", None)
    config = dnp.MasterStackConfig()
    config.link.LocalAddr, config.link.RemoteAddr = 1, 10
    values, application = Values(), MasterSide()
    session = channel.AddMaster("m", values, application, config)
    session.Enable()
    values.whole.wait(20)  # the integrity poll of the start
    time.sleep(1)
    times_ms = []
    for _ in range(rounds):
        values.seen = 0
        values.whole.clear()
        began_s = time.perf_counter()
        session.ScanAllObjects(dnp.GroupVariationID(30, 0), values)
        if not values.whole.wait(10):
            raise TimeoutError("a poll was not answered")
        times_ms.append((time.perf_counter() - began_s) * 1000)
    print(json.dumps(times_ms), flush=True)
    return application


if __name__ == "__main__":
    side, number, count = sys.argv[1:]
    owner = dnp.DNP3Manager(1)
    kept = (master if side == "master" else outstation)(owner, int(number), int(count))
    owner.Shutdown()
