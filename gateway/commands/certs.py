"""Make a test PKI for IEEE 2030.5: a root, a server and one certificate per device, with the chain that is asked for.

The devices are those of a zone file that speak ieee2030_5, or the names given. The table shows each
device's LFDI, SFDI and a test PIN for the zone file. Private keys get mode 0600. For laboratories and
demonstrations only: a real deployment uses the certificates of its utility and manufacturers.
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from config.endpoints import Ieee20305Endpoint
from config.loader import ConfigError, load
from gateway.clock import wall
from ieee2030_5.pki import AUTHORITIES, CHAINS, Issued, make_pki, paths

_PLAIN_WIDTH = 160
RESERVED = ("root", "server", *AUTHORITIES)
"""Names that cannot be a device's."""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("zone", nargs="?", type=Path, metavar="ZONE", help="zone file (YAML) that names the devices")
    parser.add_argument("--device", action="append", default=[], metavar="NAME", help="one more device; repeatable")
    parser.add_argument(
        "--out", type=Path, default=Path("certs"), metavar="DIR", help="where to write (default: certs)"
    )
    parser.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="NAME",
        help="name or address that the server answers to; repeatable (default: localhost and 127.0.0.1)",
    )
    parser.add_argument(
        "--chain",
        type=int,
        choices=CHAINS,
        default=1,
        help="certificates of a device's chain below the root: 1 its own, 2 with a MICA, 3 with a MCA and a MICA",
    )
    parser.add_argument("--force", action="store_true", help="overwrite certificates and keys that are there already")


def run(args: Namespace) -> int:
    """0 where the PKI was written, 1 where the zone is faulty or files are in the way, 2 without a device."""
    try:
        names = sorted({*args.device, *_of_zone(args.zone)})
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    faulty = [name for name in names if name in RESERVED or Path(name).name != name]
    if not names or faulty:
        reason = f"{', '.join(faulty)} cannot name a device here" if faulty else "no device speaks ieee2030_5"
        print(f"ampacity certs: {reason}; name some with --device", file=sys.stderr)
        return 2
    there = [path for path in paths(args.out, names, args.chain) if path.exists()]
    if there and not args.force:
        print(f"ampacity certs: {there[0]} exists; --force overwrites it and every other", file=sys.stderr)
        return 1
    issued = make_pki(args.out, names, args.host or ["localhost", "127.0.0.1"], wall(), args.chain)
    width = None if sys.stdout.isatty() else _PLAIN_WIDTH
    Console(width=width, highlight=False, markup=False, emoji=False).print(_table(issued))
    return 0


def _of_zone(path: Path | None) -> list[str]:
    if path is None:
        return []
    devices = load(path).devices
    return [name for name, device in devices.items() if isinstance(device.endpoint, Ieee20305Endpoint)]


def _table(issued: list[Issued]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("name", "LFDI", "SFDI", "PIN", "certificate"):
        table.add_column(column, no_wrap=True)
    for item in issued:
        pin = "" if item.name in RESERVED else f"{item.pin:06d}"
        table.add_row(item.name, item.lfdi, f"{item.sfdi}", pin, str(item.certificate))
    return table
