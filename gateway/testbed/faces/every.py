"""Every face of a zone."""

from config.settings import ZoneFile
from gateway.testbed.faces import dnp3, ieee2030_5, modbus, mqtt, opcua
from gateway.testbed.faces.served import Served
from gateway.testbed.world import World
from protocols.port import Now


def faces(zone: ZoneFile, world: World, now: Now) -> list[Served]:
    """Servers and clients for everything simulated, in the order in which they have to start."""
    return [face for protocol in (modbus, opcua, mqtt, dnp3, ieee2030_5) for face in protocol.faces(zone, world, now)]
