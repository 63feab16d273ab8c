"""Messages as their senders wrote them, and the digest by which anybody can see that nothing was changed."""

import hashlib

from gateway.coordination import wire
from gateway.coordination.messages import Message


def written(message: Message) -> str:
    """The message byte by byte as it came; as it would be written where it came from this process."""
    return message.raw or wire.encode(message).decode()


def sha256_of(payload: str) -> str:
    """Hexadecimal digest of a payload in UTF-8."""
    return hashlib.sha256(payload.encode()).hexdigest()
