"""A process of `bench_2030_scale`: loads a server's state from its journal, and prints how long that took."""

import json
import resource
import sys
import time
from pathlib import Path

from gateway import served
from gateway.clock import wall
from gateway.journal.store import JournalReader
from ieee2030_5.enrolment import build
from ieee2030_5.records import Record
from ieee2030_5.tls import lfdi_of_file
from ieee2030_5.tree import Tree
from tests.bench.utility_2030 import settings


def main(certificates: Path) -> None:
    """Load it as the gateway does."""
    began, used = time.perf_counter(), time.process_time()
    journal = JournalReader.open(certificates / "journal")
    mine = settings(certificates, 0, ())
    tree = Tree(build(mine, lfdi_of_file(mine.certificate), int(wall())), _never)
    tree.restore(served.kept(journal))
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    octets = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "octets": octets, "devices": len(tree.utility.devices)}))


def _never(record: Record) -> None:
    raise AssertionError(f"{record} was kept while the journal was read")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
