"""The functions behind transformers (rule language, section 11).

They never raise: a missing argument gives a missing value, one that is unknown an unknown value, and so does an element of a list.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from tiercel.engine.text import encoded, lower, upper
from tiercel.fields import FieldType, Unknown
from tiercel.lang.render import plain_text

__all__ = ["present", "transformer"]

_BASE64: Final = re.compile(rb"([A-Za-z0-9+/]*)(={0,2})")
_QUANTUM: Final = 4
"""Characters of base64 that stand for three bytes (RFC 4648, section 4)."""
_UNKNOWN_OPTION: Final = "?"


def present(value: Any) -> Any:
    """The value of a list field as transformers take it: an empty list is missing."""
    return None if value == () else value


def transformer(name: str, argument: str | None, types: Sequence[FieldType]) -> Callable[..., Any]:
    """The function of the arguments' values.

    Args:
        name: the transformer.
        argument: that of ``getopt(...)[c]``, or None.
        types: for ``join``, types of the elements of its list; one for all if there is one.
    """
    if name in _OF_TEXT:
        return _each(_OF_TEXT[name], frozenset({str}))
    if name == "b64":
        return _each(_decoded, frozenset({str, bytes}))
    if name == "len":
        return _length
    if name == "join":
        return _known(lambda separator, items: _joined(separator, items, types))
    if name == "concat":
        return _known(lambda *texts: "".join(texts))
    if argument is None:
        return _known(lambda items, options: tuple(_options(items, options)[0]))
    return _known(lambda items, options: _options(items, options)[1].get(argument))


def _each(function: Callable[[Any], Any], kinds: frozenset[type]) -> Callable[[Any], Any]:
    """The function on a value of these types, or on each element of a tuple; missing if it fails on one."""

    def call(value: Any) -> Any:
        if type(value) in kinds:
            return function(value)
        if type(value) is tuple:
            found = tuple(function(each) if type(each) in kinds else each for each in value)
            failed = any(new is None and old is not None for old, new in zip(value, found, strict=True))
            return None if failed else found
        return value if type(value) is Unknown else None

    return call


_OF_TEXT: Final[dict[str, Callable[[str], str]]] = {
    "tolower": lower,
    "toupper": upper,
    "basename": lambda text: text.rpartition("/")[2],
}


def _decoded(value: str | bytes) -> str | bytes | None:
    """What base64 text stands for, as text or as bytes like the value; None if it is none. Padding may be left out."""
    match = _BASE64.fullmatch(encoded(value) if isinstance(value, str) else value)
    if match is None:
        return None
    digits, padding = match[1], match[2]
    if len(digits) % _QUANTUM == 1 or (padding and (len(digits) + len(padding)) % _QUANTUM):
        return None
    raw = binascii.a2b_base64(digits + b"=" * (-len(digits) % _QUANTUM))
    return raw.decode("utf-8", "surrogateescape") if isinstance(value, str) else raw


def _length(value: Any) -> Any:
    """Elements of a list, bytes of a text or buffer."""
    if type(value) is str:
        return len(value) if value.isascii() else len(encoded(value))
    if type(value) is tuple or type(value) is bytes:
        return len(value)
    return value if type(value) is Unknown else None


def _known(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function on arguments that are all there; else missing, or unknown."""

    def call(*arguments: Any) -> Any:
        unknown = None
        for argument in arguments:
            for value in argument if type(argument) is tuple else (argument,):
                if value is None:
                    return None
                if type(value) is Unknown:
                    unknown = value
        return function(*arguments) if unknown is None else unknown

    return call


def _items(value: Any) -> tuple[Any, ...]:
    """The elements of a list; a field with an index, ``name[1]``, gives one value."""
    return value if type(value) is tuple else (value,)


def _joined(separator: str, value: Any, types: Sequence[FieldType]) -> str:
    items = _items(value)
    kinds = types if len(types) == len(items) else (types[0],) * len(items) if types else ()
    return separator.join(plain_text(kind, item) for kind, item in zip(kinds, items, strict=True))


def _options(value: Any, options: str) -> tuple[list[str], dict[str, str]]:
    """What getopt(3) finds in arguments, in the POSIX way, without long options.

    Args:
        value: the arguments.
        options: the letters that are options; with ``:`` behind it one takes a value, with ``::`` one that is attached, if any.

    Returns:
        Letters and values in the order of the arguments; and of each letter the last value, or the letter itself if it takes none.
    """
    found: list[str] = []
    last: dict[str, str] = {}
    items = _items(value)
    at = 0
    while at < len(items):
        item = items[at]
        at += 1
        if item == "--" or len(item) < len("-x") or item[0] != "-":
            break
        if item.startswith("--"):
            continue
        for place, letter in enumerate(item[1:], 2):
            takes = _takes(options, letter)
            if takes == 0:
                found.append(letter)
                last[letter] = letter
            elif takes < 0:
                found.append(_UNKNOWN_OPTION)
                last[_UNKNOWN_OPTION] = _UNKNOWN_OPTION
            else:
                attached = item[place:]
                if attached or takes > 1:
                    given: str | None = attached
                elif at < len(items):
                    given = items[at]
                    at += 1
                else:
                    given = None
                if given is not None:
                    found.append(letter)
                found.append(given or "")
                last[letter] = given or ""
                break
    return found, last


def _takes(options: str, letter: str) -> int:
    """How an option takes a value: 0 not, 1 always, 2 attached only; -1 if it is no option."""
    at = options.find(letter)
    if at < 0 or letter == ":":
        return -1
    return len(options[at + 1 : at + 3]) - len(options[at + 1 : at + 3].lstrip(":"))
