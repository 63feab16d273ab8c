"""One codec for all documents: the dataclasses of `resources` to XML and back, in the strict order of the schema.

A class lists its attributes and elements as annotated fields, base class first, as the schema does.
The annotation says what a field holds, `attribute()` that it is an attribute, `csipaus()` that it
belongs to the Australian namespace, a tuple that it repeats, a default that it may be absent. A class
with `_named` gives its own name to every element that holds it.
"""

from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import IntEnum
from html import escape
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from lxml import etree

from ieee2030_5.scalars import Scalar

NAMESPACE = "urn:ieee:std:2030.5:ns"
CSIP_AUS = "https://csipaus.org/ns"
CSIP_AUS_STORAGE = "https://csipaus.org/ns/v1.3-beta/storage"
"""Version 1.3 puts all Australian elements into a namespace of its own; read, they are the same elements."""
XSI = "http://www.w3.org/2001/XMLSchema-instance"
DEPTH = 16
"""Deepest element nesting accepted; the deepest legal document here has seven levels."""

T = TypeVar("T")


class Extension(IntEnum):
    """Which elements beyond the standard's schema a document holds."""

    NONE = 0
    AUS = 1
    """CSIP-AUS 1.2."""
    STORAGE = 2
    """CSIP-AUS 1.3 with the storage target."""


_EXTENSIONS = {Extension.AUS: CSIP_AUS, Extension.STORAGE: CSIP_AUS_STORAGE}


class DocumentError(ValueError):
    """The body is not a document that we accept; the message says where and why."""


class InvalidValueError(DocumentError):
    """Well formed and in order, but a value is outside its type."""


def attribute(default: Any = None) -> Any:
    """Declare an XML attribute."""
    return field(default=default, metadata={"attribute": True})


def typed(default: Any = None) -> Any:
    """Declare an element `Resource` that may be of any type and says which (`xsi:type`); it is only written."""
    return field(default=default, metadata={"typed": True})


def csipaus(default: Any = None, *, since: Extension = Extension.AUS) -> Any:
    """Declare an optional element of the CSIP-AUS namespace, and of which version of it."""
    return field(default=default, metadata={"namespace": CSIP_AUS, "since": since})


@dataclass(frozen=True, slots=True)
class Part:
    """How one field is written and read."""

    field: str
    name: str
    namespace: str
    is_attribute: bool
    repeats: bool
    required: bool
    typed: bool
    since: Extension
    scalar: Scalar | None
    children: type | None

    @property
    def tag(self) -> str:
        """The name with its prefix, as we write it."""
        return f"csipaus:{self.name}" if self.namespace == CSIP_AUS else self.name


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a class is read."""

    attributes: Mapping[str, Scalar | None]
    places: Mapping[str, tuple[int, Part | None]]
    """Where each element stands, by its name with its namespace."""
    required: tuple[Part, ...]
    repeated: tuple[Part, ...]


_NOWHERE: tuple[int, Part | None] = (-1, None)
_PARTS: dict[type, tuple[Part, ...]] = {}
_PLANS: dict[type, _Plan] = {}


def parts_of(cls: type) -> tuple[Part, ...]:
    """The fields of a class as they stand in a document, in their order."""
    if cls not in _PARTS:
        _PARTS[cls] = _read_class(cls)
    return _PARTS[cls]


def _plan(cls: type) -> _Plan:
    if cls not in _PLANS:
        parts = parts_of(cls)
        elements = [part for part in parts if not part.is_attribute]
        _PLANS[cls] = _Plan(
            {part.name: part.scalar for part in parts if part.is_attribute},
            {tag: (place, part) for place, part in enumerate(elements) for tag in _tags(part.namespace, part.name)},
            tuple(part for part in parts if part.required),
            tuple(part for part in parts if part.repeats),
        )
    return _PLANS[cls]


def _tags(namespace: str, name: str) -> tuple[str, ...]:
    """An element as it is read, in whatever version of the extension it was written."""
    namespaces = (CSIP_AUS, CSIP_AUS_STORAGE) if namespace == CSIP_AUS else (namespace,)
    return tuple(f"{{{item}}}{name}" for item in namespaces)


def _read_class(cls: type) -> tuple[Part, ...]:
    hints = get_type_hints(cls, include_extras=True)
    parts = []
    for item in fields(cls):
        hint, repeats = hints[item.name], False
        if get_origin(hint) in (Union, UnionType):
            hint = next(option for option in get_args(hint) if option is not NoneType)
        if get_origin(hint) is tuple:
            hint, repeats = get_args(hint)[0], True
        metadata = getattr(hint, "__metadata__", ())
        parts.append(
            Part(
                field=item.name,
                name=hint.__name__ if getattr(hint, "_named", False) else item.name,
                namespace=item.metadata.get("namespace", NAMESPACE),
                is_attribute=item.metadata.get("attribute", False),
                repeats=repeats,
                required=item.default is MISSING and item.default_factory is MISSING,
                typed=item.metadata.get("typed", False),
                since=item.metadata.get("since", Extension.NONE),
                scalar=metadata[0] if metadata else None,
                children=None if metadata else hint,
            )
        )
    return tuple(parts)


def root_name(cls: type) -> tuple[str, str]:
    """Namespace and name of the root element of a class."""
    return getattr(cls, "_namespace", NAMESPACE), getattr(cls, "_root", cls.__name__)


def render(resource: object, *, aus: int = Extension.NONE) -> bytes:
    """Write a document, in UTF-8 and without a declaration.

    UTF-8 is what XML means by default, and clients that decode a body before they parse it refuse one that
    declares an encoding.

    Args:
        resource: an instance of a class of `resources`.
        aus: up to which `Extension` CSIP-AUS elements are written, and their namespace declared. Plain
            clients fail on elements they do not know, so beyond it such elements are left out.
    """
    namespace, name = root_name(type(resource))
    extension = max(Extension(aus), Extension.AUS if namespace == CSIP_AUS else Extension.NONE)
    tag = f"csipaus:{name}" if namespace == CSIP_AUS else name
    head = f' xmlns="{NAMESPACE}"' + (f' xmlns:csipaus="{_EXTENSIONS[extension]}"' if extension else "")
    out: list[str] = []
    _write(resource, tag, head, out, extension)
    return "".join(out).encode()


class Written(str):
    """An element `Resource` that is written already, for a field declared with `typed()`."""

    __slots__ = ()


def write(resource: object, *, aus: int = Extension.NONE) -> Written:
    """Write an element `Resource` that says which type it is of."""
    out: list[str] = []
    _write(resource, "Resource", _type_of(resource), out, Extension(aus))
    return Written("".join(out))


def _type_of(resource: object) -> str:
    return f' xmlns:xsi="{XSI}" xsi:type="{root_name(type(resource))[1]}"'


def _write(resource: object, tag: str, head: str, out: list[str], extension: Extension) -> None:
    attributes = [head]
    body: list[str] = []
    for part in parts_of(type(resource)):
        value = getattr(resource, part.field)
        if value is None or part.since > extension:
            continue
        if part.is_attribute and part.scalar is not None:
            attributes.append(f' {part.name}="{_escaped(part.scalar.encode(value))}"')
            continue
        for item in value if part.repeats else (value,):
            if part.scalar is not None:
                body.append(f"<{part.tag}>{_escaped(part.scalar.encode(item))}</{part.tag}>")
            elif isinstance(item, Written):
                body.append(item)
            else:
                _write(item, part.tag, _type_of(item) if part.typed else "", body, extension)
    start = f"<{tag}{''.join(attributes)}"
    if body:
        out.append(f"{start}>{''.join(body)}</{tag}>")
    else:
        out.append(f"{start}/>")


_PARSER = etree.XMLParser(
    encoding="utf-8",
    resolve_entities=False,
    load_dtd=False,
    no_network=True,
    huge_tree=False,
    remove_comments=True,
    remove_pis=True,
)


def _escaped(text: str) -> str:
    """Text as it stands in a document; tabs and line ends as references, or readers would turn them into spaces."""
    escaped = escape(text, quote='"' in text)
    return escaped if escaped.isprintable() else escaped.translate(_CONTROLS)


_CONTROLS = {ord(character): f"&#{ord(character)};" for character in "\t\n\r"}


def parse(body: bytes, expected: Collection[type[T]]) -> T:
    """Read a document whose root is one of the expected classes.

    Raises:
        DocumentError: not well formed, a document type declaration, too deep, an unknown namespace,
            root or element, an element out of order, twice or missing.
        InvalidValueError: a value outside its type.
    """
    root = _element(body)
    for cls in expected:
        if root.tag in _tags(*root_name(cls)):
            return _read(root, cls, 1)
    names = " or ".join(sorted(root_name(cls)[1] for cls in expected))
    raise DocumentError(f"expected {names} in {NAMESPACE}, got {str(root.tag)[:120]}")


def _element(body: bytes) -> Any:
    # An encoding that hides "<!DOCTYPE" from this search is refused by its zero octets.
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body or b"\x00" in body:
        raise DocumentError("document type declarations, entities and encodings other than UTF-8 are not accepted")
    try:
        return etree.fromstring(body, _PARSER)
    except etree.XMLSyntaxError as error:
        raise DocumentError(f"not well-formed XML: {error}") from error
    except ValueError as error:
        raise DocumentError(f"not XML: {error}") from error


def _read(element: Any, cls: type[T], depth: int) -> T:
    if depth > DEPTH:
        raise DocumentError(f"nested deeper than {DEPTH} elements at {_local(element)}")
    plan = _plan(cls)
    _no_text(element.text, element)
    values = _attributes(element, plan) if element.attrib else {}
    last = -1
    for child in element:
        place, part = plan.places.get(child.tag, _NOWHERE)
        if part is None or place < last or (place == last and not part.repeats):
            raise DocumentError(f"{_local(child)} is unknown, repeated or out of order in {_local(element)}")
        last = place
        _no_text(child.tail, element)
        if part.scalar is not None:
            value = _scalar(child, part.scalar)
        else:
            value = _read(child, cast("type[Any]", part.children), depth + 1)
        if part.repeats:
            values.setdefault(part.field, []).append(value)
        else:
            values[part.field] = value
    for part in plan.repeated:
        if part.field in values:
            values[part.field] = tuple(values[part.field])
    for part in plan.required:
        if part.field not in values:
            raise DocumentError(f"{_local(element)} lacks {part.name}")
    return cls(**values)


def _no_text(text: str | None, element: Any) -> None:
    if text and not text.isspace():
        raise DocumentError(f"text between the elements of {_local(element)}")


def _attributes(element: Any, plan: _Plan) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in element.attrib.items():
        scalar = plan.attributes.get(name)
        if scalar is not None:
            values[name] = _decode(name, text, scalar)
        elif not name.startswith(f"{{{XSI}}}"):
            raise DocumentError(f"attribute {str(name)[:60]} is unknown in {_local(element)}")
    return values


def _scalar(element: Any, scalar: Scalar) -> object:
    if len(element):
        raise DocumentError(f"{_local(element)} holds text, not elements")
    try:
        return scalar.decode((element.text or "").strip())
    except ValueError as error:
        raise InvalidValueError(f"{_local(element)}: {error}") from error


def _decode(name: str, text: str, scalar: Scalar) -> object:
    try:
        return scalar.decode(text)
    except ValueError as error:
        raise InvalidValueError(f"{name}: {error}") from error


def _local(element: Any) -> str:
    return etree.QName(element).localname[:60]
