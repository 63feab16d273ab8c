"""Whether a client that TLS has let in may use the server."""

from dataclasses import dataclass
from enum import StrEnum


class Admission(StrEnum):
    """What the operator has decided about a client."""

    ENABLED = "enabled"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Access:
    """Admission of one client, and until when."""

    state: Admission = Admission.ENABLED
    until_s: int | None = None
    """From then on it is refused; `None`: it stays."""

    def admits(self, now: int) -> bool:
        """True while the client may do more than read DeviceCapability."""
        return self.state is Admission.ENABLED and (self.until_s is None or now < self.until_s)
