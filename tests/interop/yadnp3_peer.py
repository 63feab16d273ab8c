# ruff: noqa: N802 - the peer names its callbacks
"""opendnp3 (yadnp3) as master or outstation, in a process of its own; speaks JSON lines on stdin and stdout.

`master PORT [CA CERT KEY]` connects; it takes {"crob": i, "operation": o}, {"analog": [i, value, form]}, both with
"select", {"scan": group, "variation": v} and {"freeze": true}, and tells {"values": ...} and {"done": ...}.
`outstation PORT [CA CERT KEY]` listens; it takes {"analog": [i, v]}, "binary", "double" and "counter", and tells
{"operated": ...}, {"time": ms} and {"ready": true}.
"""

import json
import os
import sys

import opendnp3 as dnp

from gateway.clock import wall


def tell(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def plain(value):
    """A pybind value as JSON takes it."""
    if isinstance(value, dnp.DoubleBit):
        return int(value.value)
    return value if isinstance(value, bool | int | float) else None


class Values(dnp.ISOEHandler):
    def BeginFragment(self, info):
        pass

    def EndFragment(self, info):
        pass

    def OnRawAPDU(self, *args):
        pass

    def Process(self, info, values):
        found = [[v.index, plain(getattr(v.value, "value", None))] for v in values]
        tell(values=found, form=str(info.gv).rpartition(".")[2], event=info.isEventVariation)


class MasterSide(dnp.IMasterApplication):
    def Now(self):
        return dnp.UTCTimestamp(round(wall() * 1000))


class Commands(dnp.ICommandHandler):
    def Begin(self):
        pass

    def End(self):
        pass

    def Select(self, command, index):
        return self.answer(index)

    def Operate(self, command, index, handler, kind):
        value = getattr(command, "value", None)
        name = type(command).__name__
        tell(operated=[name, index, value if value is not None else command.opType.name, kind.name])
        return self.answer(index)

    def answer(self, index):
        return dnp.CommandStatus.BLOCKED if index == 9 else dnp.CommandStatus.SUCCESS


class OutstationSide(dnp.IOutstationApplication):
    def SupportsWriteAbsoluteTime(self):
        return True

    def WriteAbsoluteTime(self, timestamp):
        tell(time=getattr(timestamp, "msSinceEpoch", None) or getattr(timestamp, "value", 0))
        return True

    def GetApplicationIIN(self):
        iin = dnp.ApplicationIIN()
        iin.needTime = True
        return iin


def master(manager, port, tls):
    retry, endpoint = dnp.ChannelRetry.Default(), [dnp.IPEndpoint("127.0.0.1", port)]
    levels = dnp.LogLevels()
    if tls:
        channel = manager.AddTLSClient("c", levels, retry, endpoint, "0.0.0.0", dnp.TLSConfig(*tls), None)
    else:
        channel = manager.AddTCPClient("c", levels, retry, endpoint, "0.0.0.0", None)
    config = dnp.MasterStackConfig()
    config.link.LocalAddr, config.link.RemoteAddr = 1, 10
    config.master.timeSyncMode = getattr(dnp.TimeSyncMode, os.environ.get("TIME_SYNC", "LAN"))
    values, application = Values(), MasterSide()
    session = channel.AddMaster("m", values, application, config)
    session.Enable()

    def done(result):
        tell(done=[[p.index, p.state.name, p.status.name] for p in result.to_list()], summary=result.summary.name)

    forms = {"int16": dnp.AnalogOutputInt16, "int32": dnp.AnalogOutputInt32}
    forms |= {"float": dnp.AnalogOutputFloat32, "double": dnp.AnalogOutputDouble64}
    for line in sys.stdin:
        asked = json.loads(line)
        operate = session.SelectAndOperate if asked.get("select") else session.DirectOperate
        if "crob" in asked:
            operate(dnp.ControlRelayOutputBlock(getattr(dnp.OperationType, asked["operation"])), asked["crob"], done)
        elif "analog" in asked:
            index, value, form = asked["analog"]
            operate(forms[form](value), index, done)
        elif "scan" in asked:
            session.ScanAllObjects(dnp.GroupVariationID(asked["scan"], asked["variation"]), values)
        elif "freeze" in asked:
            header = dnp.Header.AllObjects(20, 0)
            session.PerformFunction("freeze", dnp.FunctionCode.IMMED_FREEZE, [header])
    return values, application


def outstation(manager, port, tls):
    endpoint, mode = dnp.IPEndpoint("127.0.0.1", port), dnp.ServerAcceptMode.CloseExisting
    levels = dnp.LogLevels()
    if tls:
        channel = manager.AddTLSServer("s", levels, mode, endpoint, dnp.TLSConfig(*tls), None)
    else:
        channel = manager.AddTCPServer("s", levels, mode, endpoint, None)
    config = dnp.OutstationStackConfig(dnp.DatabaseConfig(10))
    config.link.LocalAddr, config.link.RemoteAddr = 10, 1
    config.outstation.eventBufferConfig = dnp.EventBufferConfig.AllTypes(100)
    config.outstation.params.allowUnsolicited = True
    commands, application = Commands(), OutstationSide()
    session = channel.AddOutstation("o", commands, application, config)
    session.Enable()
    tell(ready=True)
    makers = {
        "analog": dnp.Analog,
        "binary": lambda v: dnp.Binary(bool(v)),
        "double": lambda v: dnp.DoubleBitBinary(dnp.DoubleBit(v)),
        "counter": dnp.Counter,
    }
    for line in sys.stdin:
        builder = dnp.UpdateBuilder()
        for name, (index, value) in json.loads(line).items():
            builder.Update(makers[name](value), index)
        session.Apply(builder.Build())
    return commands, application


if __name__ == "__main__":
    side, number, *files = sys.argv[1:]
    owner = dnp.DNP3Manager(1)
    kept = (master if side == "master" else outstation)(owner, int(number), files)
    owner.Shutdown()
