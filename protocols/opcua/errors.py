"""What can go wrong with a server, by what its caller can do about it."""


class OpcUaError(Exception):
    """What a server did or failed to do."""


class LinkDownError(OpcUaError):
    """The connection is gone; open a new one."""


class UntrustedError(LinkDownError):
    """The server's certificate is not to be trusted; says why and which it is."""


class NoAnswerError(OpcUaError):
    """Nothing came back in time; whether the server acted is unknown."""


class UnfitError(OpcUaError):
    """A value does not fit the type of its variable; nothing was sent."""
