"""What a party needs to connect: `ampacity party token PARTY ZONE` makes its bearer token.

The token is printed once and kept nowhere. Its SHA-256 goes into the storage directory, where the gateway
finds it without a restart (write `auth: {token_stored: true}` at the party); the token before it, if there
was one, is of no use from then on. With --print only the digest is told, for `auth: {token_sha256: …}`.
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from config.faults import listed
from config.loader import ConfigError, load
from gateway.parties import tokens


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("what", choices=["token"], metavar="token", help="make a bearer token")
    parser.add_argument("party", metavar="PARTY", help="its id in the zone file")
    parser.add_argument("zone", type=Path, metavar="ZONE", help="zone file (YAML)")
    parser.add_argument(
        "--storage", type=Path, metavar="DIR", help="storage directory, where not that of the zone file"
    )
    parser.add_argument("--print", action="store_true", dest="only_print", help="keep nothing in the storage directory")


def run(args: Namespace) -> int:
    """0 where the token was made, 1 where the zone is faulty or its digest cannot be kept, 2 without such a party."""
    try:
        zone = load(args.zone)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    party = zone.parties.get(args.party)
    if party is None:
        print(f"ampacity party: no {args.party} in {zone.zone.id}, but {listed(zone.parties)}", file=sys.stderr)
        return 2
    token, digest = tokens.make()
    if args.only_print:
        print(f"token   {token}\nsha256  {digest}\nWrite at parties.{args.party}: auth: {{token_sha256: {digest}}}")
        return 0
    try:
        path = tokens.keep(args.storage or Path(zone.storage.directory), args.party, digest)
    except tokens.TokenFileError as error:
        print(f"ampacity party: {error}", file=sys.stderr)
        return 1
    print(f"token   {token}\nsha256  {digest}  in {path}")
    if party.auth is None or not party.auth.token_stored:
        print(f"It is asked for once parties.{args.party} has auth: {{token_stored: true}}")
    return 0
