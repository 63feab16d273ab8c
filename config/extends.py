"""One zone file on top of another: `extends: other.yaml` and what the upper file changes."""

from pathlib import Path

from config.document import Document, Node, is_file, read_document
from config.faults import ConfigError, Fault

KEY = "extends"


def read_extended(file: Path) -> Document:
    """The document of `file` laid over the one that it extends, and so on down.

    Mappings merge key by key, anything else replaces what is below it, and `null` removes an entry
    of the file below. An endpoint of another protocol replaces the whole endpoint, since the keys of
    one protocol mean nothing to another. A relative path counts from the file that names it.

    Raises:
        ConfigError: as `read_document`, or a file that extends itself.
    """
    return _read(file, above=())


def merge(below: Node, above: Node) -> Node:
    """`above` laid over `below`; every value keeps the place where it was written."""
    if not isinstance(below.value, dict) or not isinstance(above.value, dict):
        return above
    if _protocol(above.value) not in {None, _protocol(below.value)}:
        return above
    merged = dict(below.value)
    for key, node in above.value.items():
        if key not in merged:
            merged[key] = node
        elif node.value is None:
            del merged[key]
        else:
            merged[key] = merge(merged[key], node)
    return Node(above.place, merged)


def _protocol(entries: dict[str, Node]) -> object:
    """The protocol that a mapping names, as an endpoint does; `None` where it names none."""
    node = entries.get("protocol")
    return None if node is None else node.plain()


def _read(file: Path, above: tuple[Path, ...]) -> Document:
    document = read_document(file)
    if not isinstance(document.root.value, dict) or KEY not in document.root.value:
        return document
    entries = dict(document.root.value)
    reference = entries.pop(KEY)
    chain = (*above, file.resolve())
    below = _read(_target(reference, file, chain), chain)
    root = merge(below.root, Node(document.root.place, entries))
    return Document(root, (*below.faults, *document.faults))


def _target(reference: Node, file: Path, chain: tuple[Path, ...]) -> Path:
    """The file that `reference` names; a fault where it is no path, missing, or already in the chain."""
    place = reference.place
    if not isinstance(reference.value, str):
        raise ConfigError([Fault(place, "`extends` is not a path", "name one file, relative to this one")])
    target = file.parent / reference.value
    if not is_file(target):
        remedy = "correct the path, relative to this file"
        raise ConfigError([Fault(place, f"`extends` names {target}, which is not a file", remedy)])
    if target.resolve() in chain:
        circle = " -> ".join(path.name for path in (*chain, target.resolve()))
        raise ConfigError([Fault(place, f"`extends` runs in a circle: {circle}", "remove one of them")])
    return target
