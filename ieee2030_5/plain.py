"""A short way to read the documents that come by the thousand each second, for those written plainly.

Plainly: ASCII, the standard's namespace as the default one and no other, no attributes, no markup in texts and
nothing that repeats. Such a document is one regular language, derived from the same classes that `codec` reads,
and one expression reads it. Whatever it does not match, and every value that it cannot take, is left to `codec`,
which says what is wrong; where both read a document, they read the same.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from ieee2030_5.codec import NAMESPACE, parts_of, root_name
from ieee2030_5.scalars import Scalar

T = TypeVar("T")

_TEXT = rb"([\t\n\x20-\x25\x27-\x3b\x3d\x3f-\x7e]*)"
"""Nothing that means anything in XML, and nothing that XML would change."""
_SPACE = rb"[\t\n\r ]*"
_DECLARATION = rb"""(?:<\?xml version=["']1\.0["'](?: encoding=["'](?:utf|UTF)-8["'])?[\t\n\r ]*\?>)?"""
_SEEN = 128
"""Texts of each element that are remembered with their values: what clients say is mostly what they said before."""


@dataclass(frozen=True, slots=True)
class _Leaf:
    """An element that holds a value."""

    field: str
    group: int
    decode: Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class _Branch:
    """An element that holds others."""

    field: str
    group: int
    cls: type
    leaves: tuple[_Leaf, ...]
    branches: tuple["_Branch", ...]


class Plain(Generic[T]):
    """Reads plain documents of one class."""

    def __init__(self, cls: type[T]) -> None:
        self._count = 0
        _, name = root_name(cls)
        inner, leaves, branches = self._inside(cls)
        head = b"<%s xmlns=[\"']%s[\"']%s>%s" % (name.encode(), re.escape(NAMESPACE).encode(), _SPACE, _SPACE)
        self._pattern = re.compile(_DECLARATION + _SPACE + head + inner + b"</%s>" % name.encode() + _SPACE)
        self._root = _Branch("", 0, cls, leaves, branches)

    def read(self, body: bytes) -> T | None:
        """The document, or nothing where it is for the codec to read."""
        found = self._pattern.fullmatch(body)
        if found is None:
            return None
        try:
            document: T = _made(self._root, found.groups())
        except (TypeError, ValueError):
            return None  # something is missing or out of range; the codec says what
        return document

    def _inside(self, cls: type) -> tuple[bytes, tuple[_Leaf, ...], tuple[_Branch, ...]]:
        """The expression of everything in an element of a class, and where its parts are found."""
        expression, leaves, branches = b"", list[_Leaf](), list[_Branch]()
        for part in parts_of(cls):
            if part.is_attribute or part.repeats or part.namespace != NAMESPACE or part.typed:
                continue
            name = part.name.encode()
            self._count += 1
            group = self._count - 1
            if part.scalar is not None:
                content = _TEXT
                leaves.append(_Leaf(part.field, group, _decoder(part.scalar)))
            elif part.children is not None:
                inner, own_leaves, own_branches = self._inside(part.children)
                content = b"()" + _SPACE + inner
                branches.append(_Branch(part.field, group, part.children, own_leaves, own_branches))
            expression += b"(?:<%s>%s</%s>%s)?" % (name, content, name, _SPACE)
        return expression, tuple(leaves), tuple(branches)


def _decoder(scalar: Scalar) -> Callable[[bytes], object]:
    """Text as it stands to its value; a text that was seen before costs a look."""

    @lru_cache(maxsize=_SEEN)
    def decode(text: bytes) -> object:
        return scalar.decode(text.decode("ascii").strip())

    return decode


def _made(branch: _Branch, groups: tuple[bytes | None, ...]) -> Any:  # noqa: ANN401 - of the branch's class
    return branch.cls(**dict(_values(branch, groups)))


def _values(branch: _Branch, groups: tuple[bytes | None, ...]) -> Iterator[tuple[str, object]]:
    for leaf in branch.leaves:
        text = groups[leaf.group]
        if text is not None:
            yield leaf.field, leaf.decode(text)
    for inner in branch.branches:
        if groups[inner.group] is not None:
            yield inner.field, _made(inner, groups)
