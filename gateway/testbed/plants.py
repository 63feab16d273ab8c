"""Which solver plays the true network of a zone: the format of its network file says."""

from collections.abc import Mapping
from pathlib import Path

from gateway.testbed.plant import Attachment, Plant
from grid_engine.importers import any as any_format
from grid_engine.model import NetworkError

ALL_PHASES = "abc"


def plant_of(source: Path, resources: Mapping[str, Attachment]) -> Plant:
    """The network of a file with resources on it: pandapower for its own format, OpenDSS for every other.

    Where a resource of a network in pandapower's format has not all phases, its three-phase solver plays it.

    Raises:
        ValueError: a resource cannot be connected, the network cannot be read or played, or OpenDSS is not installed.
    """
    # Each solver takes seconds to import: only the zone that needs it pays.
    try:
        if any_format.is_pandapower(source):
            from gateway.testbed.balanced import BalancedPlant  # noqa: PLC0415
            from gateway.testbed.uneven import UnevenPlant  # noqa: PLC0415

            even = all(to.phases == ALL_PHASES for to in resources.values())
            return BalancedPlant(source, resources) if even else UnevenPlant(source, resources)
        from gateway.testbed.opendss import OpenDssPlant  # noqa: PLC0415

        return OpenDssPlant(any_format.load(source), resources)
    except ModuleNotFoundError as error:
        raise ValueError(f"{source.name} is played by OpenDSS, which is missing: install ampacity[demo]") from error
    except NetworkError as error:
        raise ValueError(str(error)) from error
