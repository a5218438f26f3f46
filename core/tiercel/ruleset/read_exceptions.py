"""Reads the key ``exceptions`` of a rule (rule language, section 5): its structure. What it means is `tiercel.ruleset.exceptions`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tiercel.ruleset import yamltree
from tiercel.ruleset.items import ExceptionItem, Located
from tiercel.ruleset.keys import Broken, Keys
from tiercel.ruleset.yamltree import Scalar, Sequence, YamlNode

__all__ = ["read_exceptions"]

KNOWN: Final = frozenset({"name", "fields", "comps", "values"})


def read_exceptions(keys: Keys, *, change: bool, partial: bool) -> tuple[ExceptionItem, ...] | None:
    """The exceptions of a rule item, those that are right; None if it has no such key.

    Args:
        keys: of the item.
        change: they change a rule that exists.
        partial: those that exist may get values only.
    """
    if "exceptions" not in keys:
        return None
    value = keys.found["exceptions"][1]
    if not isinstance(value, Sequence):
        keys.error(value, "Rule exceptions must be a sequence")
        return ()
    found: list[ExceptionItem] = []
    names: set[str] = set()
    for element in value.items:
        if not isinstance(element, yamltree.Mapping):
            keys.error(element, "Rule exception must be a mapping")
            continue
        inner = Keys(keys.file, element, keys.reports)
        inner.where = keys.where
        try:
            exception = _exception(inner, names, change=change, partial=partial)
        except Broken:
            keys.broken = True
            continue
        keys.broken = keys.broken or inner.broken
        if not inner.broken:
            found.append(exception)
    return tuple(found)


def _exception(keys: Keys, names: set[str], *, change: bool, partial: bool) -> ExceptionItem:
    name = keys.text("name", known=KNOWN)
    if name.value in names:
        message = f"Multiple definitions of exception '{name.value}' in the same rule"
        keys.warning(name, "LOAD_EXCEPTION_NAME_NOT_UNIQUE", message)
    names.add(name.value)
    keys.where = f'{keys.where}exception "{name.value:.200}": '
    keys.unknown(KNOWN)
    fields = _texts(keys, "fields")
    if fields is None and not partial:
        keys.missing("fields", KNOWN)
        raise Broken
    comps = _texts(keys, "comps")
    values: list[Located] = []
    if "values" in keys:
        value = keys.found["values"][1]
        if not isinstance(value, Sequence):
            keys.error(value, "Rule exception values must be a sequence")
            raise Broken
        for node in value.items:
            _only_texts(keys, node)
            values.append(Located(keys.file, node))
    elif change:
        keys.warning(name, "LOAD_APPEND_NO_VALUES", "Overriding/appending exception with no values")
    return ExceptionItem(name=name.value, where=Located(keys.file, name), fields=fields, comps=comps, values=values)


def _texts(keys: Keys, key: str) -> YamlNode | None:
    """A text or a sequence of texts; None if it is not there."""
    if key not in keys:
        return None
    value = keys.found[key][1]
    for node in value.items if isinstance(value, Sequence) else (value,):
        if not isinstance(node, Scalar):
            keys.error(node, f"Value is not a scalar value (key '{key}')")
            raise Broken
        if node.is_null or not node.value.strip():
            keys.error(node, f"Value must be non-empty (key '{key}')")
            raise Broken
    return value


def _only_texts(keys: Keys, node: YamlNode) -> None:
    for each in _mappings(node):
        keys.error(each, "Value is not a scalar value (key 'values')")


def _mappings(node: YamlNode) -> Iterator[YamlNode]:
    """Mappings in sequences in sequences."""
    if isinstance(node, yamltree.Mapping):
        yield node
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _mappings(item)
