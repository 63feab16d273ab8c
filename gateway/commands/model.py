"""Upload a network model with its boundaries into a running gateway, approve it, roll it back, or show all versions.

    ampacity model upload zone.yaml network.json --version r1-2 --boundaries boundaries.json --because "L12 rebuilt"
    ampacity model list zone.yaml
    ampacity model approve zone.yaml r1-2
    ampacity model rollback zone.yaml

The gateway judges the model (connectivity, ratings, phases, everything that the zone refers to) and tells how it
differs from what is in force; an invalid one is refused and nothing changes. Where `approval` of the zone file is
`manual` it waits for approval, in mode `semi` only where elements come or go. It then takes over without a restart,
from `--from` until `--until` where these are given. Boundaries are a JSON object with the members td_interfaces
(name to bus), interfaces (name to branch) and connections (resource to bus).
"""

import json
import shutil
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path

from gateway.commands import _console
from gateway.commands._console import Answer
from gateway.commands._console_tables import time_of
from gateway.commands._der_client import Operator, OperatorError
from gateway.commands._der_tables import Column, at, table
from gateway.commands._moments import moment_argument
from gateway.model_desk import FOLDER

PATIENCE_S = 600.0
"""A large network is read, compared and loaded meanwhile."""
MODELS: tuple[Column, ...] = (
    ("version", at("version")),
    ("state", at("state")),
    ("in force", lambda row: "yes" if row["in_force"] else ""),
    ("from", time_of("from_s")),
    ("until", time_of("until_s")),
    ("changes", lambda row: "; ".join(row["changes"])),
    ("because", at("because")),
    ("by", at("by")),
)


BOUNDARIES = (
    'JSON: {"td_interfaces": {NAME: BUS}, "interfaces": {NAME: BRANCH}, "connections": {DER: BUS}}; '
    "those of the zone file where absent"
)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    verbs = parser.add_subparsers(dest="verb", metavar="WHAT", required=True)
    _console.add_zone(verbs.add_parser("list", help="all versions, the newest first"))
    upload = _acting(verbs.add_parser("upload", help="upload one"))
    upload.add_argument("file", type=Path, metavar="FILE", help="Ampacity's or pandapower's JSON")
    upload.add_argument("--version", required=True, metavar="NAME", help="a new one")
    upload.add_argument("--boundaries", type=Path, metavar="FILE", help=BOUNDARIES)
    upload.add_argument("--feeder", default="", metavar="NAME", help="whose network it is, in a zone of several")
    upload.add_argument("--from", type=moment_argument, dest="from_s", metavar="TIME", help="when it begins to hold")
    upload.add_argument("--until", type=moment_argument, dest="until_s", metavar="TIME", help="when it ends to hold")
    upload.add_argument("--because", required=True, metavar="TEXT", help="why, for the journal")
    for verb, what in (("approve", "let one hold that waits"), ("reject", "drop one that waits")):
        _acting(verbs.add_parser(verb, help=what)).add_argument("version", metavar="VERSION")
    _acting(verbs.add_parser("rollback", help="let the one before hold again"))


def _acting(parser: ArgumentParser) -> ArgumentParser:
    _console.add_zone(parser)
    _console.add_by(parser)
    return parser


def run(args: Namespace) -> int:
    """0 when done, 1 where the gateway refuses or none runs."""
    return _console.answered("model", args, _model)


def _model(operator: Operator, args: Namespace) -> Answer:
    operator = replace(operator, timeout_s=PATIENCE_S)
    match args.verb:
        case "list":
            found = operator.get("models")
        case "rollback":
            found = operator.post("model-rollback", body={"by": args.by})
        case "upload":
            made = operator.post("models", body=_upload(args))
            return made, table(MODELS, [made])
        case verb:
            said = {"by": args.by, "approved": verb == "approve"}
            made = operator.post("models", args.version, "ruling", body=said)
            return made, table(MODELS, [made])
    shown = [table(MODELS, found["models"])] if found["models"] else []
    return found, _console.under(*shown, f"in force: {found['in_force']}")


def _upload(args: Namespace) -> dict[str, object]:
    """The request, with the file where the gateway looks for it."""
    try:
        boundaries = None if args.boundaries is None else json.loads(args.boundaries.read_text(encoding="utf-8"))
        folder = _console.directory(args) / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{args.version}{''.join(args.file.suffixes[-2:])}"
        shutil.copyfile(args.file, folder / name)
    except OSError as error:
        raise OperatorError(f"nothing was uploaded: {error.filename}: {error.strerror}") from error
    except ValueError as error:
        raise OperatorError(f"nothing was uploaded: {args.boundaries}: {error}") from error
    times = {"from_s": args.from_s, "until_s": args.until_s}
    return {
        "by": args.by,
        "version": args.version,
        "file": name,
        "feeder": args.feeder,
        "boundaries": boundaries,
        "because": args.because,
        **{name: value for name, value in times.items() if value is not None},
    }
