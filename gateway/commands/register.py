"""Register a DER for the market in the name of its owner, or show all connections and who takes part.

    ampacity register zone.yaml
    ampacity register zone.yaml A --max 2.5 --min -2.5 --certificate agent_a.pem

Prequalification looks at the connection (known, and of this owner), the nameplate (within the connection), the
credential (the LFDI of a certificate, or its fingerprint) and a protocol test: the gateway must hear the device over
the agreed protocol, and the device must obey. Owners register themselves with the message REG.Register. Where
`market.registration` of the zone file is `required`, nobody may offer before.
"""

import hashlib
import ssl
from argparse import ArgumentParser, Namespace
from pathlib import Path

from gateway.commands import _console
from gateway.commands._console import Answer
from gateway.commands._console_tables import megawatts
from gateway.commands._der_client import Operator, OperatorError
from gateway.commands._der_tables import Column, at, table
from ieee2030_5.identity import lfdi_of

CONNECTIONS: tuple[Column, ...] = (
    ("DER", at("der")),
    ("owner", at("owner")),
    ("connection", at("connection")),
    ("export", lambda row: megawatts(row["export_w"])),
    ("import", lambda row: megawatts(row["import_w"])),
    ("protocol", at("protocol")),
    ("may offer", lambda row: "yes" if row["may_offer"] else "no"),
    ("registration", at("registration")),
    ("programs", lambda row: ", ".join(row["programs"])),
)
CRITERIA: tuple[Column, ...] = (
    ("criterion", at("criterion")),
    ("", lambda row: "holds" if row["holds"] else row["code"]),
    ("detail", at("detail")),
)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    _console.add_zone(parser)
    _console.add_by(parser)
    parser.add_argument("der", nargs="?", metavar="DER", help="which; all connections are shown where absent")
    parser.add_argument("--max", type=_console.megawatts, metavar="MW", help="of the nameplate")
    parser.add_argument("--min", type=_console.megawatts, metavar="MW", help="of the nameplate; negative: consumption")
    parser.add_argument("--connection", default="", metavar="POI", help="if not the agreed one")
    parser.add_argument("--protocol", default="", help="if not the agreed one")
    parser.add_argument("--program", action="append", default=[], metavar="NAME", help="repeatable")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--certificate", type=Path, metavar="PEM", help="of the device or its owner")
    shown.add_argument("--credential", default="", metavar="HEX", help="LFDI, fingerprint, or digest of a token")


def run(args: Namespace) -> int:
    """0 when shown or registered, 1 where it was rejected or no gateway runs."""
    rejected: list[str] = []

    def ask(operator: Operator, given: Namespace) -> Answer:
        answer, shown = _register(operator, given)
        if given.der is not None and not answer["accepted"]:
            rejected.append(given.der)
        return answer, shown

    return _console.answered("register", args, ask) or len(rejected)


def _register(operator: Operator, args: Namespace) -> Answer:
    found = operator.get("registrations")
    if args.der is None:
        return found, table(CONNECTIONS, found["registrations"])
    protocol = next((one["protocol"] for one in found["registrations"] if one["der"] == args.der), "")
    said = {
        "by": args.by,
        "connection": args.connection,
        "protocol": args.protocol,
        "programs": args.program,
        "credential": args.credential if args.certificate is None else _credential(args.certificate, protocol),
        **({} if args.max is None else {"ceiling_w": args.max}),
        **({} if args.min is None else {"floor_w": args.min}),
    }
    made = operator.post("registrations", args.der, body=said)
    verdict = f"{args.der} is registered" if made["accepted"] else f"{args.der} is rejected"
    return made, _console.under(table(CRITERIA, made["criteria"]), verdict)


def _credential(certificate: Path, protocol: str) -> str:
    """What an IEEE 2030.5 client is known by, or the fingerprint."""
    try:
        der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    except (OSError, ValueError) as error:
        raise OperatorError(f"{certificate} is no certificate in PEM: {error}") from error
    return lfdi_of(der) if protocol == "ieee2030_5" else hashlib.sha256(der).hexdigest()
