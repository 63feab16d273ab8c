"""Operate the IEEE 2030.5 server of a running gateway: who connects, what belongs together, controls, answers.

    ampacity der register PV7 --certificate pv7.pem --max-w 10000 --profile csip_aus --group north
    ampacity der program flex --group north --primacy 40
    ampacity der control issue flex opModExpLimW=5000 --in 5m --for 30m
    ampacity der waiting 3F5A...

Every action takes --json. The gateway is found by its storage directory (`run`); nothing here needs the zone file.
"""

import csv
import json
import re
import secrets
import ssl
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console, RenderableType

from gateway.clock import wall
from gateway.commands import _der_tables as t
from gateway.commands._der_arguments import OPTIONAL, declare, parsed
from gateway.commands._der_client import Json, Operator, OperatorError
from ieee2030_5.identity import lfdi_of, pin_from

_PLAIN_WIDTH = 170
_BATCH = 500
"""Devices registered in one request."""
Answer = tuple[Json, RenderableType | str]
"""What the server said, and the same for a person."""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    declare(parser)


def run(args: Namespace) -> int:
    """0 when done, 1 where the gateway refuses or none runs; says what to do then."""
    try:
        answer, shown = _ACTIONS[args.action](Operator.of(args.directory), args)
    except OperatorError as error:
        print(f"ampacity der: {error}", file=sys.stderr)
        return 1
    if args.json:
        sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    else:
        width = None if sys.stdout.isatty() else _PLAIN_WIDTH
        Console(width=width, highlight=False, markup=False, emoji=False).print(shown)
    return 0


def _state(operator: Operator, _: Namespace) -> Answer:
    found = operator.get("state")
    return found, t.pairs(found)


def _list(operator: Operator, args: Namespace) -> Answer:
    found = operator.get("devices", start=args.start, limit=args.limit)
    return found, t.table(t.DEVICES, found["devices"])


def _device(found: Json) -> Answer:
    return found, t.pairs(found)


def _show(operator: Operator, args: Namespace) -> Answer:
    return _device(operator.get("devices", args.device))


def _register(operator: Operator, args: Namespace) -> Answer:
    lfdi = args.lfdi or _lfdi_of(args.certificate)
    said: dict[str, object] = {
        "lfdi": lfdi,
        "profile": args.profile,
        "edition": args.edition,
        "pin": args.pin,
        "in_band": args.in_band,
        "notify_hosts": args.notify_host,
    }
    if args.aggregator:
        found = operator.put("aggregators", args.device, body={**said, "may_enrol": args.may_enrol})
    elif args.max_w is None:
        raise OperatorError("a device needs --max-w, its greatest injection in W; an aggregator --aggregator")
    else:
        found = operator.put("devices", args.device, body={**said, "max_w": args.max_w, "min_w": args.min_w})
    if args.group:
        found = operator.put("devices", args.device, "groups", body={"groups": args.group})
    return _device(found)


def _lfdi_of(certificate: Path) -> str:
    try:
        return lfdi_of(ssl.PEM_cert_to_DER_cert(certificate.read_text()))
    except (OSError, ValueError) as error:
        raise OperatorError(f"{certificate} holds no certificate in PEM ({error})") from error


def _import(operator: Operator, args: Namespace) -> Answer:
    devices = _table_of(args.file)
    for start in range(0, len(devices), _BATCH):
        batch = devices[start : start + _BATCH]
        try:
            operator.post("devices", body={"devices": batch})
        except OperatorError as error:
            first, last = batch[0]["name"], batch[-1]["name"]
            raise OperatorError(f"none of {first} to {last} and what follows is registered: {error}") from error
    return {"count": len(devices)}, f"{len(devices)} devices are registered"


def _table_of(file: Path) -> list[dict[str, object]]:
    """The rows of a table as the API takes them; empty cells are left out."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text, strict=True)
            columns, rows = reader.fieldnames or [], list(reader)
    except (OSError, ValueError, csv.Error) as error:
        raise OperatorError(f"{file} cannot be read as a table ({error})") from error
    known = {"name", "lfdi", "max_w", *OPTIONAL}
    if not {"name", "lfdi", "max_w"} <= set(columns) <= known:
        raise OperatorError(
            f"{file} has the columns {', '.join(columns)}; name, lfdi and max_w are needed, the others "
            f"are {', '.join(OPTIONAL)}"
        )
    long = next((row["name"] for row in rows if None in row), None)
    if long is not None:
        raise OperatorError(f"{file} has more cells than columns in the row of {long}")
    return [{column: _cell(column, text) for column, text in row.items() if text} for row in rows]


def _cell(column: str, text: str) -> object:
    if column in ("notify_hosts", "groups"):
        return text.split()
    return parsed(text) if column in ("max_w", "min_w", "pin", "in_band") else text


def _remove(operator: Operator, args: Namespace) -> Answer:
    operator.delete("devices", args.device)
    return {"removed": args.device}, f"{args.device} is removed, with all below it"


def _pin(operator: Operator, args: Namespace) -> Answer:
    pin = pin_from(secrets.token_bytes(16)) if args.pin is None else args.pin
    found = operator.put("devices", args.device, "pin", body={"pin": pin})
    if args.pin is not None:
        return found, f"{args.device} has the PIN that you gave"
    return {**found, "pin": pin}, f"{args.device} has the PIN {pin:06d}; it is shown only now"


def _member(operator: Operator, args: Namespace) -> Answer:
    path = ("aggregators", args.aggregator, "members", args.device)
    if args.remove:
        operator.delete(*path)
        return _device(operator.get("devices", args.aggregator))
    return _device(operator.put(*path))


def _group(operator: Operator, args: Namespace) -> Answer:
    if args.group is None:
        found = operator.get("groups")
        return found, t.table(t.GROUPS, found["groups"])
    if args.remove:
        operator.delete("groups", args.group)
        return {"removed": args.group}, f"group {args.group} is removed, with its programs"
    changes = _given(args, "kind", "parent", "description")
    known = next((one for one in operator.get("groups")["groups"] if one["name"] == args.group), None)
    if changes or known is None:
        if known is None and not changes and not args.add:
            raise OperatorError(f"there is no group {args.group!r}; --kind makes one")
        before = {} if known is None else {name: known[name] for name in ("kind", "parent", "description")}
        operator.put("groups", args.group, body={**before, **changes})
    for device in (*args.add, *args.drop):
        groups = [name for name in operator.get("devices", device)["groups"] if name != args.group]
        wanted = [*groups, args.group] if device in args.add else groups
        operator.put("devices", device, "groups", body={"groups": wanted})
    found = operator.get("groups", args.group)
    return found, t.table(t.GROUPS, [found])


def _program(operator: Operator, args: Namespace) -> Answer:
    if args.program is None:
        found = operator.get("programs", limit=1_000)
        return found, t.table(t.PROGRAMS, found["programs"])
    if args.remove:
        operator.delete("programs", args.program)
        return {"removed": args.program}, f"program {args.program} is removed, with its controls"
    changes = _given(args, "primacy", "description", "group", "device")
    if args.fsa is not None:
        changes["assignment"] = args.fsa
    if not changes:
        found = operator.get("programs", args.program)
    elif "group" in changes or "device" in changes:
        if "primacy" not in changes:
            raise OperatorError("a program needs --primacy; 40 wins over the gateway's own programs, 90 yields")
        found = operator.put("programs", args.program, body=changes)
    else:
        known = operator.get("programs", args.program)
        before = {name: known[name] for name in ("group", "device", "primacy", "description", "assignment")}
        found = operator.put("programs", args.program, body={**before, **changes})
    return found, t.table(t.PROGRAMS, [found])


def _curve(operator: Operator, args: Namespace) -> Answer:
    path = ("programs", args.program, "curves")
    if args.remove is not None:
        operator.delete(*path, args.remove)
    elif args.mode is not None:
        points = [{"x": x, "y": y} for x, y in (one for one in args.values if not isinstance(one[0], str))]
        others = dict(one for one in args.values if isinstance(one[0], str))
        made = operator.post(*path, body={"mode": args.mode, "points": points, **others})
        return made, t.table(t.CURVES, [made])
    found = operator.get(*path)
    return found, t.table(t.CURVES, found["curves"])


def _default(operator: Operator, args: Namespace) -> Answer:
    if not args.values:
        found = operator.get("programs", args.program, "default")
    else:
        values = dict(args.values)
        modes = {name: value for name, value in values.items() if not name.startswith("set")}
        others = {name: value for name, value in values.items() if name.startswith("set")}
        found = operator.put("programs", args.program, "default", body={"modes": modes, **others})
    return found, t.pairs(found)


def _rates(operator: Operator, args: Namespace) -> Answer:
    if args.which is not None and args.seconds is None:
        raise OperatorError(f"say of what and how often: `ampacity der rates {args.which} derp 60`, or `default`")
    if args.seconds == "default":
        operator.delete("rates", args.which, args.kind)
    elif args.seconds is not None:
        operator.put("rates", args.which, args.kind, body={"seconds": parsed(args.seconds)})
    found = operator.get("rates")
    return found, t.table(t.RATES, t.rates(found))


def _access(operator: Operator, args: Namespace) -> Answer:
    if args.client is not None:
        known = re.fullmatch(r"[0-9A-Fa-f]{40}", args.client)
        lfdi = args.client if known else operator.get("devices", args.client)["lfdi"]
        if args.state is None:
            raise OperatorError("say what: enabled, denied or default")
        if args.state == "default":
            operator.delete("access", lfdi)
        else:
            until = None if args.duration is None else round(wall() + args.duration)
            operator.put("access", lfdi, body={"state": args.state, "until_s": until})
    found = operator.get("access")
    return found, t.table(t.ACCESS, found["access"])


def _waiting(operator: Operator, args: Namespace) -> Answer:
    found = operator.get("controls", args.control, "answers")
    return found, t.table(t.ANSWERS, [*found["waiting"], *found["answered"]])


def _control(operator: Operator, args: Namespace) -> Answer:
    match args.verb:
        case "list":
            found = operator.get("programs", args.program, "controls")
            return found, t.table(t.CONTROLS, found["controls"])
        case "clear":
            found = operator.post("programs", args.program, "clear")
            return found, f"{found['count']} controls of {args.program} are cancelled"
        case "cancel":
            found = operator.post("controls", args.control, "cancel")
        case "issue":
            found = operator.post("programs", args.program, "controls", body=_wanted(args))
        case _:
            found = operator.post("controls", args.control, "supersede", body=_wanted(args))
    return found, t.table(t.CONTROLS, [found])


def _wanted(args: Namespace) -> dict[str, object]:
    start = args.at if args.later is None else wall() + args.later
    return {
        "modes": dict(args.values),
        "start_s": None if start is None else round(start),
        "duration_s": max(1, round(args.duration)),
        "randomize_start_s": args.randomize_start,
        "randomize_duration_s": args.randomize_duration,
        "response_required": args.responses,
        "device_category": args.category,
        "description": args.description,
    }


def _given(args: Namespace, *names: str) -> dict[str, object]:
    return {name: value for name in names if (value := getattr(args, name)) is not None}


_ACTIONS: Mapping[str, Callable[[Operator, Namespace], Answer]] = {
    "state": _state,
    "list": _list,
    "show": _show,
    "register": _register,
    "import": _import,
    "remove": _remove,
    "pin": _pin,
    "member": _member,
    "group": _group,
    "program": _program,
    "curve": _curve,
    "default": _default,
    "rates": _rates,
    "access": _access,
    "waiting": _waiting,
    "control": _control,
}
