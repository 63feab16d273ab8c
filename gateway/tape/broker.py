"""Where played devices meet a broker."""

from dataclasses import dataclass
from typing import Final

STEP_S: Final = 0.05
"""How often a played device looks what is due."""


@dataclass(frozen=True, slots=True)
class BrokerAt:
    """Where one device connects to, and as whom."""

    host: str
    port: int
    client_id: str
    """One device, one connection."""
    state_topic: str
    """Where its will goes."""
    version: str
    timeout_s: float = 5.0
    keep_alive_s: int = 10
    username: str = ""
    password: str = ""
    tls: bool = False
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""

    @property
    def broker(self) -> str:
        """For people."""
        return f"mqtt://{self.host}:{self.port}"
