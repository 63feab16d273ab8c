"""Operate the IEEE 2030.5 server of a running gateway: who connects, what belongs together, controls, answers.

    ampacity der register PV7 --certificate pv7.pem --max-w 10000 --profile csip_aus --group north
    ampacity der program flex --group north --primacy 40
    ampacity der control issue flex opModExpLimW=5000 --in 5m --for 30m
    ampacity der waiting 3F5A...

Every action takes --json. The gateway is found by its storage directory (`run`); nothing here needs the zone file.
"""

import json
import re
import secrets
import ssl
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from gateway.clock import wall
from gateway.commands import _der_tables as t
from gateway.commands._der_client import Json, Operator, OperatorError
from ieee2030_5.access import Admission
from ieee2030_5.groups import GroupKind
from ieee2030_5.identity import lfdi_of, pin_from
from ieee2030_5.settings import Edition, Profile

_PLAIN_WIDTH = 170
_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
Answer = tuple[Json, RenderableType | str]
"""What the server said, and the same for a person."""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    common = ArgumentParser(add_help=False)
    common.add_argument(
        "--directory", type=Path, default=Path("run"), metavar="DIR", help="storage of the gateway: run"
    )
    common.add_argument("--json", action="store_true", help="for machines: what the server answers")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, text: str, do: Callable[[Operator, Namespace], Answer]) -> ArgumentParser:
        # What has verbs of its own takes the common arguments behind them.
        parents = [] if name == "control" else [common]
        made = actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", parents=parents)
        made.set_defaults(do=do)
        return made

    action("state", "counts of everything that is kept", _state)
    listing = action("list", "all devices and aggregators", _list)
    listing.add_argument("--start", type=int, default=0, metavar="N", help="leave out the first N")
    listing.add_argument("--limit", type=int, default=100, metavar="N", help="at most N (default: 100)")
    action("show", "one device or aggregator", _show).add_argument("device", metavar="DEVICE")
    _register_arguments(action("register", "register a device or an aggregator, or change what is known", _register))
    action("remove", "forget a device or an aggregator and all below it", _remove).add_argument("device")
    pin = action("pin", "set a registration PIN", _pin)
    pin.add_argument("device", metavar="DEVICE")
    pin.add_argument("pin", type=int, nargs="?", metavar="PIN", help="six digits; left out: a new one, shown once")
    member = action("member", "let an aggregator speak for a device", _member)
    member.add_argument("aggregator", metavar="AGGREGATOR")
    member.add_argument("device", metavar="DEVICE")
    member.add_argument("--remove", action="store_true", help="no more")
    _group_arguments(action("group", "show all groups, or make, change or remove one", _group))
    _program_arguments(action("program", "show all programs, or make, change or remove one", _program))
    default = action("default", "show or set what holds in a program while no control does", _default)
    default.add_argument("program", metavar="PROGRAM")
    default.add_argument("values", nargs="*", type=_value, metavar="NAME=VALUE", help="modes, setGradW and the like")
    rates = action("rates", "show or set how often clients poll and post", _rates)
    rates.add_argument("which", nargs="?", choices=("poll", "post"))
    rates.add_argument("kind", nargs="?", metavar="KIND", help="dcap, edev, fsa, derp, der, mup, ...")
    rates.add_argument("seconds", nargs="?", metavar="SECONDS", help="or `default`")
    access = action("access", "show or set who may use the server", _access)
    access.add_argument("client", nargs="?", metavar="CLIENT", help="device, or LFDI of a certificate")
    access.add_argument("state", nargs="?", choices=[*Admission, "default"])
    access.add_argument("--for", dest="duration", type=_duration, metavar="TIME", help="10m, 2h, 1d; then refused")
    waiting = action("waiting", "who has not answered a control, and who has", _waiting)
    waiting.add_argument("control", metavar="MRID")
    _control_arguments(action("control", "list, issue, cancel, supersede and clear controls", _control), common)


def _register_arguments(made: ArgumentParser) -> None:
    made.add_argument("device", metavar="DEVICE", help="its id from now on")
    who = made.add_mutually_exclusive_group(required=True)
    who.add_argument("--lfdi", metavar="HEX", help="40 hex digits")
    who.add_argument("--certificate", type=Path, metavar="PEM", help="its certificate, from which the LFDI follows")
    made.add_argument("--max-w", type=float, metavar="W", help="greatest injection, until the device tells itself")
    made.add_argument("--min-w", type=float, default=0.0, metavar="W", help="greatest absorption, as a negative number")
    made.add_argument("--profile", choices=[*Profile], default=Profile.CSIP)
    made.add_argument("--edition", choices=[*Edition], default=Edition.S1, help="S1: 2018, S2: 2023")
    made.add_argument("--pin", type=int, metavar="PIN")
    made.add_argument("--in-band", action="store_true", help="it registers itself by POST to /edev")
    made.add_argument("--notify-host", action="append", default=[], metavar="HOST", help="where it may be notified")
    made.add_argument("--group", action="append", default=[], metavar="GROUP", help="put it there; repeatable")
    made.add_argument("--aggregator", action="store_true", help="it speaks for others and is controlled through them")
    made.add_argument("--may-enrol", action="store_true", help="an aggregator that may bring unknown devices")


def _group_arguments(made: ArgumentParser) -> None:
    made.add_argument("group", nargs="?", metavar="GROUP")
    made.add_argument("--kind", choices=[*GroupKind])
    made.add_argument("--parent", metavar="GROUP", help="the group above")
    made.add_argument("--description", metavar="TEXT")
    made.add_argument("--add", action="append", default=[], metavar="DEVICE", help="put a device in; repeatable")
    made.add_argument("--drop", action="append", default=[], metavar="DEVICE", help="take a device out; repeatable")
    made.add_argument("--remove", action="store_true", help="take the group out with its programs")


def _program_arguments(made: ArgumentParser) -> None:
    made.add_argument("program", nargs="?", metavar="PROGRAM")
    whose = made.add_mutually_exclusive_group()
    whose.add_argument("--group", metavar="GROUP", help="for the devices in this group and below it")
    whose.add_argument("--device", metavar="DEVICE", help="for one device")
    made.add_argument("--primacy", type=int, metavar="N", help="the lower wins; the gateway's own programs have 65")
    made.add_argument("--description", metavar="TEXT")
    made.add_argument("--fsa", metavar="NAME", help="FunctionSetAssignments that lists it")
    made.add_argument("--remove", action="store_true", help="take it out with its controls")


def _control_arguments(made: ArgumentParser, common: ArgumentParser) -> None:
    verbs = made.add_subparsers(dest="verb", metavar="VERB", required=True)
    verbs.add_parser("list", parents=[common], help="those of a program that have not ended").add_argument("program")
    verbs.add_parser("clear", parents=[common], help="cancel all of a program").add_argument("program")
    verbs.add_parser("cancel", parents=[common], help="cancel one").add_argument("control", metavar="MRID")
    issue = verbs.add_parser("issue", parents=[common], help="issue one in a program")
    issue.add_argument("program", metavar="PROGRAM")
    supersede = verbs.add_parser("supersede", parents=[common], help="issue one in the place of another")
    supersede.add_argument("control", metavar="MRID")
    for verb in (issue, supersede):
        verb.add_argument("values", nargs="+", type=_value, metavar="MODE=VALUE", help="W, var or percent; or JSON")
        start = verb.add_mutually_exclusive_group()
        start.add_argument("--at", type=_moment, metavar="TIME", help="2026-05-31T12:00 (UTC); default: now")
        start.add_argument("--in", dest="later", type=_duration, metavar="TIME", help="from now: 90s, 10m, 2h, 1d")
        verb.add_argument("--for", dest="duration", type=_duration, required=True, metavar="TIME", help="how long")
        verb.add_argument("--randomize-start", type=int, metavar="S", help="-3600 to 3600")
        verb.add_argument("--randomize-duration", type=int, metavar="S", help="-3600 to 3600")
        verb.add_argument("--responses", type=int, default=3, metavar="BITS", help="responseRequired (default: 3)")
        verb.add_argument("--category", metavar="HEX", help="deviceCategory that it is for (default: all)")
        verb.add_argument("--description", default="Operator", metavar="TEXT")


def run(args: Namespace) -> int:
    """0 when done, 1 where the gateway refuses or none runs; says what to do then."""
    try:
        answer, shown = args.do(Operator.of(args.directory), args)
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
        operator.put("rates", args.which, args.kind, body={"seconds": _json(args.seconds)})
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
            until = None if args.duration is None else int(wall()) + args.duration
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
    start = args.at if args.later is None else int(wall()) + args.later
    return {
        "modes": dict(args.values),
        "start_s": start,
        "duration_s": args.duration,
        "randomize_start_s": args.randomize_start,
        "randomize_duration_s": args.randomize_duration,
        "response_required": args.responses,
        "device_category": args.category,
        "description": args.description,
    }


def _given(args: Namespace, *names: str) -> dict[str, object]:
    return {name: value for name in names if (value := getattr(args, name)) is not None}


def _value(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ArgumentTypeError(f"{text!r} is no NAME=VALUE, such as opModExpLimW=5000")
    return name, _json(value)


def _json(text: str) -> Any:  # noqa: ANN401  (whatever JSON says)
    """A number, true, false or an object; any other text is itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _duration(text: str) -> int:
    found = re.fullmatch(r"(\d{1,9})([smhd]?)", text)
    if found is None:
        raise ArgumentTypeError(f"{text!r} is no time, such as 90s, 10m, 2h or 1d")
    return int(found[1]) * _UNITS_S[found[2]]


def _moment(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no time, such as 2026-05-31T12:00") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
