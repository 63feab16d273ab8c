"""Turns pydantic's errors into faults: the line of the file, the value as written, what to write instead."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

from config.document import Node
from config.faults import SECRET_KEYS, Fault, Place, listed, suggestion
from config.schema import Step, known_keys

_REMEDIES = {
    "float_type": "write a number, without quotes",
    "int_type": "write a whole number, without quotes",
    "int_from_float": "write a whole number",
    "bool_type": "write true or false",
    "string_type": "write a text, in quotes if it looks like something else",
    "string_too_short": "write at least one character",
    "string_too_long": "write at most {max_length} characters",
    "greater_than": "write more than {gt}",
    "greater_than_equal": "write {ge} or more",
    "less_than": "write less than {lt}",
    "less_than_equal": "write {le} or less",
    "date_parsing": "write a date as 2024-01-31",
    "date_from_datetime_parsing": "write a date as 2024-01-31",
    "date_type": "write a date as 2024-01-31",
    "model_type": "write `key: value` lines below it",
    "model_attributes_type": "write `key: value` lines below it",
    "dict_type": "write `key: value` lines below it",
    "tuple_type": "write a list, as in [1, 2]",
    "too_short": "write at least {min_length} there",
    "too_long": "write at most {max_length} there",
    "union_tag_not_found": "add `protocol:` with one of modbus, ieee2030_5, opcua, mqtt, sparkplug, dnp3",
}

PATTERN_REMEDIES = {
    r"^[^+#/\x00]+$": "use an id without `+`, `#` and `/`",
    r"^[^+#/\x00]*$": "use an id without `+`, `#` and `/`",
    r"^[A-Za-z0-9][A-Za-z0-9_.-]*$": "use letters, digits and `_.-`, beginning with a letter or digit",
    "^$|^(tcp|tls|ws|wss|ucx)://": "write the scheduler's address, such as `tcp://10.0.0.5:8786`",
    r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$": "begin with a letter or digit and use only letters, digits and _ . : -",
    r"^[0-9A-Fa-f]{40}$": "write the 40 hexadecimal digits of the LFDI",
    r"^opc\.tcp://": "begin with opc.tcp://",
    r"^$|^urn:\S+$": "write the URI of the certificate, which begins with urn:",
    r"^https?://": "begin with http:// or https://",
    r"^$|^https?://": "begin with http:// or https://, or leave it empty where the party fetches its messages",
    r"^$|^[0-9A-Fa-f]{64}$": "write the 64 hexadecimal digits that `ampacity party token` tells",
    r"^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$": "write the certificate's SHA-256, 64 hexadecimal digits",
    r"^[A-Za-z]+(\.[A-Za-z]+|\.\*)$": "write a code, as in LIMIT.Issue, or ORDER.* for all that begin so",
    r"^(AI|BI)[0-9]{1,4}$": "write AI or BI and an index, as in AI0",
    r"^[a-z_]+(\.(a|b|c|n))?$": "write a quantity, as in active_power_w or voltage_v.a",
    r"^[^.]+\.[a-z_]+(\.(a|b|c|n))?$": "write <id>.<quantity>, as in L12.current_a or B4.voltage_pu.a",
}
"""What to do about each pattern of the settings."""


def type_faults(errors: Sequence[ErrorDetails], root: Node, schema: Mapping[str, Any] | None = None) -> list[Fault]:
    """One fault for each place where a value is missing, unknown or of the wrong kind.

    `schema` is that of the file where it is no zone file.
    """
    faults: dict[tuple[Step, ...], Fault] = {}
    for error in errors:
        path, place = locate(root, error["loc"])
        missing = (error["loc"][-1],) if error["type"] == "missing" else ()
        faults.setdefault((*path, *missing), _fault(error, path, place, schema))
    return list(faults.values())


def locate(root: Node, steps: Sequence[Step]) -> tuple[tuple[Step, ...], Place]:
    """The steps that exist in the document (union tags do not), and the line where they lead."""
    node, path = root, list[Step]()
    for step in steps:
        value = node.value
        if isinstance(value, dict) and step in value:
            node = value[str(step)]
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            node = value[step]
        else:
            continue
        path.append(step)
    return tuple(path), node.place


def dotted(path: Sequence[Step]) -> str:
    """A path as people write it; the document itself is `the file`."""
    return f"`{'.'.join(str(step) for step in path)}`" if path else "the file"


def _fault(error: ErrorDetails, path: Sequence[Step], place: Place, schema: Mapping[str, Any] | None) -> Fault:
    kind, last = error["type"], str(error["loc"][-1])
    if kind == "missing":
        return Fault(place, f"{dotted(path)} has no `{last}`", f"add `{last}:`")
    if kind == "extra_forbidden":
        keys = known_keys(error["loc"][:-1], schema)
        remedy = suggestion(last, keys, f"use one of: {listed(keys, most=20)}")
        return Fault(place, f"{dotted(path[:-1])} has an unknown key `{last}`", remedy)
    if kind == "union_tag_invalid":
        written, tags = error["ctx"]["tag"], error["ctx"]["expected_tags"].replace("'", "").split(", ")
        remedy = suggestion(written, tags, f"use one of: {', '.join(tags)}")
        return Fault(place, f"{dotted(path)} has the unknown protocol `{written}`", remedy)
    if kind == "value_error":
        problem, _, remedy = str(error["ctx"]["error"]).partition("; ")
        return Fault(place, f"{dotted(path)}: {problem}", remedy or "correct it")
    if last == "[key]":
        return Fault(place, f"{dotted(path)} is not an id", _remedy(error))
    return Fault(place, f"{dotted(path)} is {_shown(error, path)} but {_expectation(error)}", _remedy(error))


def _remedy(error: ErrorDetails) -> str:
    """What to write instead."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in {"enum", "literal_error"}:
        allowed = str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
        return suggestion(str(error["input"]), allowed, f"use one of: {', '.join(allowed)}")
    if kind == "string_pattern_mismatch":
        return PATTERN_REMEDIES.get(context["pattern"], f"match the pattern {context['pattern']}")
    return _REMEDIES.get(kind, "see `ampacity check --schema`").format(**context)


def _shown(error: ErrorDetails, path: Sequence[Step]) -> str:
    """The value as written, short; never a secret."""
    value: Any = error["input"]
    if path and path[-1] in SECRET_KEYS:
        return "not shown"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "empty"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _expectation(error: ErrorDetails) -> str:
    """What pydantic wanted, in words of the file."""
    message = error["msg"]
    for subject in ("Input ", "String "):
        message = message.removeprefix(subject)
    return message.replace("a valid integer", "a whole number").replace("an object", "a mapping")
