"""An MQTT broker for demonstrations and tests: rumqttd in a child process, bound to the host it is told."""

import asyncio
import socket
import tempfile
from pathlib import Path
from typing import Any, Final

LARGEST_PAYLOAD: Final = 262_144
START_S: Final = 15.0
_HEAD: Final = """id = 0
[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = 10485760
max_segment_count = 10
"""
_LISTENER: Final = """
[{version}.1]
name = "{version}"
listen = "{host}:{port}"
next_connection_delay_ms = 1
[{version}.1.connections]
connection_timeout_ms = 10000
max_payload_size = {payload}
max_inflight_count = 500
dynamic_filters = true
"""


class EmbeddedBroker:
    """Speaks MQTT 5 on `port` and MQTT 3.1.1 on `port_v311`, where given: it needs a listener for each."""

    def __init__(self, host: str, port: int | None = None, port_v311: int | None = None) -> None:
        ports = {"v5": port, "v4": port_v311}
        self._listeners = {version: (host, number) for version, number in ports.items() if number is not None}
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._broker: Any = None

    async def start(self) -> None:
        """Return once it accepts connections.

        Raises:
            OSError: a port is taken.
            RuntimeError: it does not start.
            ModuleNotFoundError: the extra `demo` is not installed.
        """
        # Only those who want a broker need it installed.
        from iotcore import Broker  # noqa: PLC0415

        self._directory = tempfile.TemporaryDirectory()
        path = Path(self._directory.name) / "broker.toml"
        parts = [
            _LISTENER.format(version=version, host=host, port=port, payload=LARGEST_PAYLOAD)
            for version, (host, port) in self._listeners.items()
        ]
        await asyncio.to_thread(path.write_text, _HEAD + "".join(parts))
        self._broker = Broker(config_path=str(path))
        await asyncio.to_thread(self._broker.start, START_S)

    async def stop(self) -> None:
        """End the child process; harmless where there is none."""
        if self._broker is not None:
            await asyncio.to_thread(self._broker.stop)
            self._broker = None
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on at this moment; the broker must be told one."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
