"""Check a network file of any format, compare it with another, or write it in another format.

With `--gis`, the assets of a geographic information system (CSV or GeoJSON with id, kind, x, y, from, to) are
checked for ends that are nowhere, and give the buses of the network their places.

Reads Ampacity's own JSON, compressed or not, pandapower's JSON, and OpenDSS master files (.dss; needs the
extra `opendss`). Lists every fault with its element and what to do, or says what the network has.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

from grid_engine.exporters import json as own
from grid_engine.exporters import opendss, pandapower
from grid_engine.importers.any import OPENDSS_SUFFIX, load
from grid_engine.importers.gis import GisError, read_assets
from grid_engine.model import Network, NetworkError
from grid_engine.modelling.checks import faults
from grid_engine.modelling.document import LAYOUTS
from grid_engine.revisions.differences import differences
from grid_engine.revisions.located import located
from grid_engine.revisions.schema import schema


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="network file")
    parser.add_argument("--since", type=Path, metavar="OLD", help="list what differs from this network file")
    parser.add_argument(
        "--write",
        type=Path,
        metavar="OUT",
        help="write it: for OpenDSS where OUT ends in .dss, else as Ampacity's JSON, compressed where it ends in .gz",
    )
    parser.add_argument("--gis", type=Path, metavar="ASSETS", help="places from a GIS; alone, only they are checked")
    parser.add_argument("--pandapower", action="store_true", help="write pandapower's JSON instead of Ampacity's")
    parser.add_argument("--version", default="", metavar="NAME", dest="named", help="version to read it under")
    parser.add_argument("--schema", action="store_true", help="print the JSON schema of Ampacity's own format instead")


def run(args: Namespace) -> int:
    """0 where the network is good and was written where that was asked, 1 otherwise, 2 where there is nothing to do."""
    if args.schema:
        print(json.dumps(schema(), indent=2))
        return 0
    if args.file is None and args.gis is None:
        print("ampacity network: name a network file, --gis or --schema", file=sys.stderr)
        return 2
    try:
        return _done(args)
    except (NetworkError, GisError) as error:
        return _faulty(args.gis if isinstance(error, GisError) else args.file, error.faults)
    except OSError as error:
        return _faulty(args.file, (str(error),))


def _done(args: Namespace) -> int:
    assets = None if args.gis is None else read_assets(args.gis)
    if args.file is None:
        print(f"{args.gis} is good: {len(assets or ())} assets")
        return 0
    network = _sound(args.file, args.named)
    if args.since is not None:
        for change in differences(_sound(args.since, ""), network):
            print(change)
    else:
        print("\n".join(_summary(args.file, network)))
    if assets is not None:
        joined = located(network, assets)
        network = joined.network
        print(f"  {'places':22} {joined.placed:6} of {len(network.buses.ids)} buses, from {len(assets)} assets")
        print(*(f"  {what}" for what in joined.disagreements), sep="\n")
    if args.write is not None:
        _write(network, args.write, pandapower_json=args.pandapower)
    return 0


def _faulty(path: Path, found: Sequence[str]) -> int:
    print("\n".join(found), file=sys.stderr)
    print(f"{path}: {len(found)} {'fault' if len(found) == 1 else 'faults'}", file=sys.stderr)
    return 1


def _sound(path: Path, version: str) -> Network:
    network = load(path, version)
    found = faults(network)
    if found:
        raise NetworkError(path.name, tuple(str(fault) for fault in found))
    return network


def _write(network: Network, path: Path, *, pandapower_json: bool) -> None:
    if path.suffix.lower() == OPENDSS_SUFFIX:
        path.write_text(opendss.translate(network).text, encoding="utf-8")
    elif pandapower_json:
        pandapower.write(network, path)
    else:
        own.write(network, path)


def _summary(path: Path, network: Network) -> Iterator[str]:
    yield f"{path} is good: version {network.version}, {network.frequency_hz:g} Hz"
    yield f"  {'buses':22} {len(network.buses.ids):6} with {len(network.nodes.bus)} nodes"
    for layout in LAYOUTS:
        count = len(getattr(network, layout.name).ids)
        if count:
            yield f"  {layout.name.replace('_', ' '):22} {count:6}"
