"""What `ampacity der` takes."""

import json
import re
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from gateway.commands._moments import duration, moment_argument
from ieee2030_5.access import Admission
from ieee2030_5.curves import MODES
from ieee2030_5.groups import GroupKind
from ieee2030_5.settings import Edition, Profile

OPTIONAL = ("min_w", "profile", "edition", "pin", "in_band", "notify_hosts", "groups")
"""Columns of a table of devices that may be left out; the last two hold names with spaces between them."""


def declare(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    common = ArgumentParser(add_help=False)
    common.add_argument(
        "--directory", type=Path, default=Path("run"), metavar="DIR", help="storage of the gateway: run"
    )
    common.add_argument("--json", action="store_true", help="for machines: what the server answers")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, text: str) -> ArgumentParser:
        # What has verbs of its own takes the common arguments behind them.
        parents = [] if name == "control" else [common]
        return actions.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", parents=parents)

    action("state", "counts of everything that is kept")
    listing = action("list", "all devices and aggregators")
    listing.add_argument("--start", type=int, default=0, metavar="N", help="leave out the first N")
    listing.add_argument("--limit", type=int, default=100, metavar="N", help="at most N (default: 100)")
    action("show", "one device or aggregator").add_argument("device", metavar="DEVICE")
    _register_arguments(action("register", "register a device or an aggregator, or change what is known"))
    many = action("import", "register many devices from a table")
    many.add_argument("file", type=Path, metavar="CSV", help="columns name, lfdi, max_w; and " + ", ".join(OPTIONAL))
    action("remove", "forget a device or an aggregator and all below it").add_argument("device")
    pin = action("pin", "set a registration PIN")
    pin.add_argument("device", metavar="DEVICE")
    pin.add_argument("pin", type=int, nargs="?", metavar="PIN", help="six digits; left out: a new one, shown once")
    member = action("member", "let an aggregator speak for a device")
    member.add_argument("aggregator", metavar="AGGREGATOR")
    member.add_argument("device", metavar="DEVICE")
    member.add_argument("--remove", action="store_true", help="no more")
    _group_arguments(action("group", "show all groups, or make, change or remove one"))
    _program_arguments(action("program", "show all programs, or make, change or remove one"))
    curve = action("curve", "show the curves of a program, or make or remove one")
    curve.add_argument("program", metavar="PROGRAM")
    curve.add_argument("mode", nargs="?", metavar="MODE", help="such as opModVoltVar")
    curve.add_argument("values", nargs="*", type=_point, metavar="X,Y", help="points; or NAME=VALUE, as y_reference=3")
    curve.add_argument("--remove", metavar="CURVE", help="take one out that no control refers to")
    default = action("default", "show or set what holds in a program while no control does")
    default.add_argument("program", metavar="PROGRAM")
    default.add_argument("values", nargs="*", type=_value, metavar="NAME=VALUE", help="modes, setGradW and the like")
    rates = action("rates", "show or set how often clients poll and post")
    rates.add_argument("which", nargs="?", choices=("poll", "post"))
    rates.add_argument("kind", nargs="?", metavar="KIND", help="dcap, edev, fsa, derp, der, mup, ...")
    rates.add_argument("seconds", nargs="?", metavar="SECONDS", help="or `default`")
    access = action("access", "show or set who may use the server")
    access.add_argument("client", nargs="?", metavar="CLIENT", help="device, or LFDI of a certificate")
    access.add_argument("state", nargs="?", choices=[*Admission, "default"])
    access.add_argument("--for", dest="duration", type=duration, metavar="TIME", help="10m, 2h, 1d; then refused")
    waiting = action("waiting", "who has not answered a control, and who has")
    waiting.add_argument("control", metavar="MRID")
    _control_arguments(action("control", "list, issue, cancel, supersede and clear controls"), common)


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
        start.add_argument("--at", type=moment_argument, metavar="TIME", help="2026-05-31T12:00-05:00; default: now")
        start.add_argument("--in", dest="later", type=duration, metavar="TIME", help="from now: 90s, 10m, 2h, 1d")
        verb.add_argument("--for", dest="duration", type=duration, required=True, metavar="TIME", help="how long")
        verb.add_argument("--randomize-start", type=int, metavar="S", help="-3600 to 3600")
        verb.add_argument("--randomize-duration", type=int, metavar="S", help="-3600 to 3600")
        verb.add_argument("--responses", type=int, default=3, metavar="BITS", help="responseRequired (default: 3)")
        verb.add_argument("--category", metavar="HEX", help="deviceCategory that it is for (default: all)")
        verb.add_argument("--description", default="Operator", metavar="TEXT")


def _value(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ArgumentTypeError(f"{text!r} is no NAME=VALUE, such as opModExpLimW=5000")
    # The id of a curve may look like a number.
    return name, value if name in MODES else parsed(value)


def _point(text: str) -> tuple[Any, Any]:
    """A point of a curve, or a name and a value."""
    if "=" in text:
        return _value(text)
    found = re.fullmatch(r"(-?\d{1,9}),(-?\d{1,9})", text)
    if found is None:
        raise ArgumentTypeError(f"{text!r} is no point X,Y of whole numbers, nor NAME=VALUE")
    return int(found[1]), int(found[2])


def parsed(text: str) -> Any:  # noqa: ANN401  (whatever JSON says)
    """A number, true, false or an object; any other text is itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
