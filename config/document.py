"""Reads a YAML file into values that remember their line, refusing what people and tools read differently.

Plain scalars follow the core schema of YAML 1.2. What YAML 1.1 tools (most of them) would take for
something else, such as `NO`, `010` or `12:30`, is refused rather than guessed. Anchors, aliases and
tags are refused as well: `extends` does their job, and a file then costs no more than its size.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from unicodedata import category

import yaml

from config.faults import SECRET_KEYS, ConfigError, Fault, Place

Scalar = str | int | float | bool | None

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 24
"""A zone file needs six levels; the bound keeps hostile nesting away from the parser of types."""

_WORDS: dict[str, Scalar] = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|nan)", re.IGNORECASE)
_YAML_1_1 = (
    (re.compile(r"(yes|no|on|off)", re.IGNORECASE), "a truth value"),
    (re.compile(r"[-+]?0[0-9_]+"), "an octal number"),
    (re.compile(r"[-+]?0[box][0-9a-f_]+", re.IGNORECASE), "a binary, octal or hexadecimal number"),
    (re.compile(r"[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?"), "a number to the base of sixty"),
    (re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?"), "a number with separators"),
)


@dataclass(frozen=True, slots=True)
class Node:
    """One value of the document and the line that it was written on."""

    place: Place
    """Of its key for the value of a mapping."""
    value: "dict[str, Node] | list[Node] | Scalar"

    def plain(self) -> object:
        """The value without its places: dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value


@dataclass(frozen=True, slots=True)
class Document:
    """What a file holds, and what is wrong with how it is written."""

    root: Node
    """A mapping; refused values are kept as they stand, so that other checks can go on."""
    faults: tuple[Fault, ...]


def read_document(file: Path, needs: tuple[str, ...] = ("zone", "network", "devices")) -> Document:
    """The only document of `file`; `needs` are the keys that it cannot do without, for whoever writes it.

    Raises:
        ConfigError: the file cannot be read, is not YAML, is empty or is no mapping. Lesser faults
            of form do not end the reading: they are in the result.
    """
    text = _read_text(file)
    try:
        return _Reader(file, needs).read(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = mark.line + 1 if mark is not None else 1
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
        raise ConfigError([Fault(Place(file, line), f"not valid YAML: {problem}", _syntax_remedy(problem))]) from error


def is_file(path: Path) -> bool:
    """True for a file; false for anything else, including names that no file system would take."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_directory(path: Path) -> bool:
    """True for a directory; false for anything else, as `is_file`."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _read_text(file: Path) -> str:
    """The text of a file of bounded size."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise ConfigError([_at_top(file, f"larger than {MAX_BYTES} bytes", "split it with `extends`")])
        return raw.decode("utf-8")
    except OSError as error:
        raise ConfigError([_at_top(file, f"cannot be read ({error.strerror})", "check the path")]) from error
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError([Fault(Place(file, line), "not UTF-8 text", "save the file as UTF-8")]) from error


def _at_top(file: Path, problem: str, remedy: str) -> Fault:
    return Fault(Place(file, 1), problem, remedy)


def _syntax_remedy(problem: str) -> str:
    """What usually cures a complaint of the YAML parser."""
    if "'\\t'" in problem:
        return "indent with spaces, not tabs"
    if "mapping values" in problem:
        return "quote the text that contains a colon, or check the indentation"
    return "check indentation, quotes and brackets on this line and the one above"


class _Reader:
    """Builds nodes from the parser's events, collecting faults as it goes."""

    def __init__(self, file: Path, needs: tuple[str, ...]) -> None:
        self._file, self._needs = file, needs
        self._faults: list[Fault] = []

    def read(self, events: Iterator[yaml.Event]) -> Document:
        """The document with its faults of form; `ConfigError` where there is no mapping at all."""
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent) and root is not None:
                self._fault(event, "a second document begins", "keep one document per file: remove the `---`")
                break
            if isinstance(event, yaml.NodeEvent):
                root = self._node(event, events, self._place(event), depth=1)
        if root is None or root.value is None:
            needed = f"{', '.join(self._needs[:-1])} and {self._needs[-1]}"
            raise ConfigError([_at_top(self._file, "the file is empty", f"write at least {needed}")])
        if not isinstance(root.value, dict):
            keys = ", ".join(f"`{key}:`" for key in self._needs)
            raise ConfigError([Fault(root.place, "not a mapping", f"write {keys} at the top")])
        return Document(root, tuple(self._faults))

    def _node(self, event: yaml.NodeEvent, events: Iterator[yaml.Event], place: Place, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise ConfigError([*self._faults, Fault(place, f"nested deeper than {MAX_DEPTH} levels", "flatten it")])
        self._refuse_references(event)
        if isinstance(event, yaml.MappingStartEvent):
            return Node(place, self._mapping(events, depth))
        if isinstance(event, yaml.SequenceStartEvent):
            return Node(place, self._sequence(events, depth))
        if isinstance(event, yaml.ScalarEvent):
            return Node(place, self._scalar(event))
        return Node(place, None)

    def _mapping(self, events: Iterator[yaml.Event], depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for key_event in events:
            if isinstance(key_event, yaml.MappingEndEvent):
                break
            place = self._place(key_event)
            key = self._key(key_event, events, depth)
            value_event = next(events)
            if not isinstance(value_event, yaml.NodeEvent):
                break
            before = len(self._faults)
            value = self._node(value_event, events, place, depth + 1)
            if key in SECRET_KEYS and len(self._faults) > before:
                del self._faults[before:]
                self._fault(value_event, f"`{key}` is not plainly written", "write a decimal number, no leading zeros")
            if key in entries:
                first = entries[key].place.line
                self._fault(key_event, f"key `{key}` is here for the second time (first on line {first})", "remove one")
            entries[key] = value
        return entries

    def _key(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> str:
        """The text of a key: ids such as `NO` or `12` stay what was written."""
        if isinstance(event, yaml.ScalarEvent):
            self._refuse_references(event)
            return self._printable(event)
        if isinstance(event, yaml.NodeEvent):
            self._node(event, events, self._place(event), depth + 1)
        self._fault(event, "a key must be a single word", "write the key as plain text")
        return ""

    def _sequence(self, events: Iterator[yaml.Event], depth: int) -> list[Node]:
        items: list[Node] = []
        for event in events:
            if not isinstance(event, yaml.NodeEvent):
                break
            items.append(self._node(event, events, self._place(event), depth + 1))
        return items

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        text = self._printable(event)
        if event.style is not None:
            return text
        for pattern, other_reading in _YAML_1_1:
            if pattern.fullmatch(text):
                problem = f"`{text}` is {other_reading} to some YAML tools and not to others"
                self._fault(event, problem, _plain_spelling(text))
                return text
        value = _resolved(text)
        if _NOT_FINITE.fullmatch(text) or (isinstance(value, float) and not isfinite(value)):
            self._fault(event, f"`{text}` is not a finite number", "write a number, or leave the key out")
            return None
        return value

    def _printable(self, event: yaml.ScalarEvent) -> str:
        """The text without what terminals obey and JSON cannot carry; its presence is a fault."""
        clean = "".join(char for char in event.value if char in "\n\t" or category(char) not in {"Cc", "Cs"})
        if clean != event.value:
            self._fault(event, "the text has control characters or half a character in it", "remove the escapes")
        return clean

    def _refuse_references(self, event: yaml.NodeEvent) -> None:
        if isinstance(event, yaml.AliasEvent):
            self._fault(event, f"alias `*{event.anchor}` is not supported", "write the value out, or use `extends`")
        elif event.anchor is not None:
            self._fault(event, f"anchor `&{event.anchor}` is not supported", "remove it")
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._fault(event, f"tag `{tag}` is not supported", "remove it")

    def _place(self, event: yaml.Event) -> Place:
        return Place(self._file, 1 if event.start_mark is None else event.start_mark.line + 1)

    def _fault(self, event: yaml.Event, problem: str, remedy: str) -> None:
        self._faults.append(Fault(self._place(event), problem, remedy))


def _resolved(text: str) -> Scalar:
    """A plain scalar in the core schema of YAML 1.2."""
    if text in {text.lower(), text.capitalize(), text.upper()} and text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text) and len(text) < 20:
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    return text


def _plain_spelling(text: str) -> str:
    """How to write a scalar so that everybody reads the same."""
    truth = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(text.lower())
    if truth is not None:
        return f"write {truth}, or '{text}' in quotes where a text is meant"
    return f"write a decimal number, or '{text}' in quotes where a text is meant"
