"""What can go wrong, by what a caller can do about it."""

from protocols.dnp3.fragment import Iin


class Dnp3Error(Exception):
    """Base of this package's errors."""


class ObjectsError(Dnp3Error):
    """The peer's objects cannot be parsed; nothing after the fault is known."""

    def __init__(self, message: str, iin: Iin = Iin.PARAM_ERROR) -> None:
        super().__init__(message)
        self.iin = iin
        """The indication with which an outstation answers such a request."""


class UnsendableError(Dnp3Error):
    """We were asked to send what the protocol, or the chosen variation, cannot carry; nothing was sent."""


class BusyError(Dnp3Error):
    """A bounded queue is full; try again after the next answer."""
