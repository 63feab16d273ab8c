"""Numbers of the notifications of one subscription: what is missing is seen, fetched again or counted as lost."""

from dataclasses import dataclass, field

LARGEST = 2**32 - 1
"""After it the numbers begin again at 1."""
MOST_MISSING = 1000
"""A gap that is wider is no gap: the server counts anew."""


@dataclass(slots=True)
class Numbers:
    """What came and what did not."""

    received: int = 0
    """Notifications that came by themselves."""
    recovered: int = 0
    """Those that were missing and came when they were asked for."""
    lost: int = 0
    """Those that the server had no longer: values of that time are not known."""
    overflows: int = 0
    """Values before which the server dropped others, its queue being too short for their pace."""
    _next: int = field(default=1)

    def missing(self, number: int, *, is_keep_alive: bool) -> list[int]:
        """Numbers between the last and this one; a keep-alive bears the number that comes next."""
        gap = (number - self._next) % LARGEST
        absent = [(self._next - 1 + i) % LARGEST + 1 for i in range(gap)] if gap <= MOST_MISSING else []
        self._next = number if is_keep_alive else number % LARGEST + 1
        if not is_keep_alive:
            self.received += 1
        return absent
