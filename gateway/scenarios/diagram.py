"""Who told whom what and when, as a sequence diagram in Mermaid's words, which browsers and editors draw."""

from collections.abc import Sequence

from gateway.scenarios.runner import Told

_LINES = 400
"""Messages that a diagram holds; more are counted, not drawn."""


def mermaid(title: str, messages: Sequence[Told]) -> str:
    """The diagram of a scenario; by the platform where a message went that way."""
    parties = list(
        dict.fromkeys(p for told in messages for p in (told.message.header.sender, told.message.header.recipient))
    )
    lines = ["---", f"title: {title}", "---", "sequenceDiagram", *(f"    participant {p}" for p in parties)]
    for told in messages[:_LINES]:
        header, by = told.message.header, " (platform)" if told.carried else ""
        lines.append(
            f"    {header.sender}->>{header.recipient}: {_clock(told.at_s)} {told.message.code}{_words(told)}{by}"
        )
    if len(messages) > _LINES:
        lines.append(f"    Note over {parties[0]}: {len(messages) - _LINES} more messages")
    return "\n".join(lines) + "\n"


def _clock(at_s: float) -> str:
    return f"T{at_s:+.1f} s"


def _words(told: Told) -> str:
    body = told.message.body
    resource = told.message.resource
    for name in ("power_w", "ceiling_w", "capability_w", "required_w", "available_w"):
        value = getattr(body, name, None)
        if value is not None:
            return f" {resource} {value / 1e6:.2f} MW".replace("  ", " ")
    return f" {resource}" if resource else ""
