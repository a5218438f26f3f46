"""Random conditions and events over the small catalogue: few values, so that checks are often true."""

from __future__ import annotations

import ipaddress
import itertools
from typing import Any, Final

from hypothesis import strategies as st

from tests.oracle.catalogue import FIELDS
from tiercel.fields import PENDING, Field, FieldType, Quantifier
from tiercel.lang.ast import And, Call, Check, FieldRef, ListValue, Node, Not, NumberValue, Or, TextValue

__all__ = ["EVENT_TYPES", "checks", "conditions", "facts", "hidden", "literals_of", "operators_of", "values_for"]

EVENT_TYPES: Final = ("open", "openat", "connect")
TEXTS: Final = (
    "", "a", "ab", "A", "aB", "b", "/", "/etc", "/etc/", "/etc/passwd", "//etc//pam.d/x", "/usr/bin/sh", "/boom/a", "é", "É", "xéy",
    "\udcc3", "x\udca9", "\udcc3z", "a\nb", "*", "[a]", "\uffff", "\U0001f600",
    "YWI=", "YQ", "-ab", "-b", "--",
)  # fmt: skip
GLOBS: Final = ("*", "a*", "*b", "?", "??", "[ab]", "[!a]*", "[a-c]?", "/etc/*", "*/*", r"\*", "[a]", "é", "?\udca9", "[", "A?", "*\n*", "")
REGEXES: Final = ("a", "a.*", ".*b", "/etc/[a-z]+", "(a|b)+", "é|.", "x.*", "[^a]", "", "A[Bb]?", "/.*/(sh|passwd)")
PATHS: Final = ("", "/", "/etc", "etc/passwd", "/etc/p*", "/usr/*/sh", "/usr/[a-c]in", "a", "*", "/et", "/usr//bin/")
NUMBERS: Final = (0, 1, 2, 5, 1024, 0x8000)
IPS: Final = ("10.0.0.1", "10.0.1.7", "192.168.0.1", "2001:db8::1", "::1")
ADDRESSES: Final = tuple(ipaddress.ip_address(text).packed for text in IPS)
NETWORKS: Final = ("10.0.0.0/8", "10.0.0.7/24", "192.168.0.1/32", "0.0.0.0/0", "2001:db8::/32", "::1/128")
BUFFERS: Final = (b"", b"a", b"ab", b"\xff\x00", b"\x00a\xff\x00")

_VALUES: Final[dict[FieldType, tuple[Any, ...]]] = {
    FieldType.STRING: TEXTS,
    FieldType.PATH: TEXTS,
    FieldType.BYTES: BUFFERS,
    FieldType.BOOL: (True, False),
    FieldType.IP: ADDRESSES,
    FieldType.NET: ADDRESSES,
    FieldType.DOUBLE: (0.0, 1.0, 1.5, 2),
    FieldType.BY_PARAMETER: (0, 1, 5, 1 << 63, -1, True, False, 1.0, "a", "/etc/passwd", "1", "\udcc3", b"a", b"\xff\x00"),
}
_TEXT_OPERATORS: Final = (
    "=", "==", "!=", "<", "<=", ">", ">=", "in", "intersects", "contains", "startswith", "endswith", "icontains", "glob", "iglob",
    "regex", "pmatch",
)  # fmt: skip
_ANY_OPERATORS: Final = (*_TEXT_OPERATORS, "bcontains", "bstartswith")
_OPERATORS: Final[dict[FieldType, tuple[str, ...]]] = {
    FieldType.BYTES: ("=", "==", "!=", "in", "intersects", "contains", "startswith", "endswith", "bcontains", "bstartswith"),
    FieldType.BOOL: ("=", "!=", "in"),
    FieldType.IP: ("=", "!=", "in", "intersects"),
    FieldType.NET: ("=", "!=", "in", "intersects"),
    FieldType.BY_PARAMETER: _ANY_OPERATORS,
}
_NUMBER_OPERATORS: Final = ("=", "!=", "<", "<=", ">", ">=", "in", "intersects")
_LIST_LIKE: Final = ("in", "intersects", "pmatch")
_ARGUMENTS: Final = {"proc.env": ("HOME", "LD_PRELOAD"), "proc.aname": (None, "1", "2"), "evt.raw": ("x", "uid")}


Drawn = tuple[FieldRef | Call, FieldType, bool]
"""A field or transformer, the type of its value, and whether it is a list."""


@st.composite
def operands(draw: st.DrawFn) -> Drawn:
    """A field, or sometimes a transformer."""
    if draw(st.integers(0, 3)) == 0:
        return draw(transformers(3))
    return _field(draw, sorted(FIELDS))


def _field(draw: st.DrawFn, names: list[str]) -> Drawn:
    field = FIELDS[draw(st.sampled_from(names))]
    ref = FieldRef(field.name, draw(st.sampled_from(_ARGUMENTS[field.name])) if field.name in _ARGUMENTS else None)
    return ref, field.argument_types.get(ref.argument or "", field.type), field.is_list


_TEXT_FIELDS: Final = sorted(
    each.name for each in FIELDS.values() if each.type.is_text and each.name != "evt.type" and each.quantifier is Quantifier.ONE
)  # fmt: skip
_ONE_TEXT_FIELDS: Final = [name for name in _TEXT_FIELDS if not FIELDS[name].is_list]
_LIST_FIELDS: Final = [each.name for each in FIELDS.values() if each.is_list]
_PRINTED_FIELDS: Final = [*_ONE_TEXT_FIELDS, "evt.num", "evt.flags", "evt.write"]
_OPTIONS: Final = ("", "a", "ab", "a:b", "ab:", "ab::c", "-:")


@st.composite
def transformers(draw: st.DrawFn, depth: int) -> Drawn:
    """A transformer of fields, literals and other transformers; now and then without a field in it."""
    name = draw(st.sampled_from(("tolower", "toupper", "basename", "b64", "len", "join", "concat", "getopt", "getopt")))
    if name == "concat":
        return Call(name, tuple(draw(st.lists(_one_text(depth), min_size=2, max_size=3)))), FieldType.STRING, False
    if name == "join":
        items = draw(st.one_of(_list(_one_text(depth) | _printed(), 3), _list_field(_LIST_FIELDS)))
        return Call(name, (draw(_one_text(0)), items)), FieldType.STRING, False
    if name == "getopt":
        letter = draw(st.sampled_from((None, "a", "b", "?")))
        items = draw(st.one_of(_list(_one_text(depth), 3), _list_field(["proc.argv", "ka.images"])))
        return Call(name, (items, TextValue(draw(st.sampled_from(_OPTIONS)))), letter), FieldType.STRING, letter is None
    if name == "len" and draw(st.booleans()):
        return Call(name, (draw(_list(_one_text(depth), 3) | _list_field([*_LIST_FIELDS])),)), FieldType.UINT64, False
    if name in ("len", "b64") and draw(st.integers(0, 3)) == 0:
        return Call(name, (FieldRef("evt.buffer"),)), FieldType.UINT64 if name == "len" else FieldType.BYTES, False
    inner, _, is_list = draw(_text_field(depth))
    return Call(name, (inner,)), FieldType.UINT64 if name == "len" else FieldType.STRING, is_list and name != "len"


@st.composite
def _text_field(draw: st.DrawFn, depth: int) -> Drawn:
    if depth and draw(st.booleans()):
        operand, kind, is_list = draw(transformers(depth - 1))
        if kind.is_text:
            return operand, kind, is_list
    return _field(draw, _TEXT_FIELDS)


@st.composite
def _one_text(draw: st.DrawFn, depth: int) -> Any:
    if depth and draw(st.integers(0, 2)) == 0:
        operand, kind, is_list = draw(transformers(depth - 1))
        if kind.is_text and not is_list:
            return operand
    if draw(st.booleans()):
        return TextValue(draw(st.sampled_from(TEXTS)))
    return _field(draw, _ONE_TEXT_FIELDS)[0]


@st.composite
def _printed(draw: st.DrawFn) -> Any:
    return _field(draw, _PRINTED_FIELDS)[0]


@st.composite
def _list_field(draw: st.DrawFn, names: list[str]) -> Any:
    return _field(draw, names)[0]


def _list(items: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[ListValue]:
    return st.lists(items, max_size=most).map(lambda found: ListValue(tuple(found)))


def operators_of(kind: FieldType, *, is_list: bool = False) -> tuple[str, ...]:
    """The operators that go with a type."""
    if is_list:
        return ("in", "intersects")
    return _OPERATORS.get(kind, _TEXT_OPERATORS if kind.is_text else _NUMBER_OPERATORS)


def literals_of(kind: FieldType, operator: str) -> tuple[str, ...]:
    """Literals that go with a type and an operator."""
    if operator in ("bcontains", "bstartswith"):
        return ("61", "ff00", "00")
    if kind.is_text:
        return {"glob": GLOBS, "iglob": GLOBS, "regex": REGEXES, "pmatch": PATHS}.get(operator, TEXTS)
    if kind is FieldType.BY_PARAMETER:
        special = {"glob": GLOBS, "iglob": GLOBS, "regex": REGEXES, "pmatch": PATHS}.get(operator, ())
        return special or ("0", "1", "0x5", "-1", "a", "true", "false", "\udcc3", "")
    if kind is FieldType.BYTES:
        return ("", "a", "ab", "\udcff")
    if kind is FieldType.BOOL:
        return ("true", "false")
    if kind in (FieldType.IP, FieldType.NET):
        return IPS if kind is FieldType.IP else NETWORKS
    return (*map(str, NUMBERS), "0x8000")


def values_for(field: Field) -> tuple[Any, ...]:
    """Values of a field: all of a small set, and of several at once all pairs and some more."""
    one = _VALUES.get(field.type, NUMBERS)
    if not field.is_list and field.quantifier is Quantifier.ONE:
        return one
    pairs = tuple(itertools.product(one, repeat=2))
    return (*pairs, (), *((each,) for each in one), *(() if field.is_list else one))


@st.composite
def checks(draw: st.DrawFn) -> Check:
    """A check that has a place in the operator table of the rule language."""
    left, kind, is_list = draw(operands())
    if left == FieldRef("evt.type"):
        if draw(st.booleans()):
            return Check(left, draw(st.sampled_from(("=", "!="))), TextValue(draw(st.sampled_from(EVENT_TYPES))))
        return Check(left, "in", ListValue(tuple(map(TextValue, draw(st.lists(st.sampled_from(EVENT_TYPES), max_size=2))))))
    if draw(st.integers(0, 12)) == 0:
        return Check(left, "exists", None)
    operator = draw(st.sampled_from(operators_of(kind, is_list=is_list)))
    if operator not in ("pmatch", "regex") and kind not in (FieldType.NET, FieldType.BY_PARAMETER) and draw(st.integers(0, 9)) == 0:
        other, other_kind, other_list = draw(operands())
        if (other_kind, other_list) == (kind, is_list) and other != FieldRef("evt.type"):
            return Check(left, operator, other if isinstance(other, Call) else Call("val", (other,)))
    literals = st.sampled_from(literals_of(kind, operator))
    if operator in _LIST_LIKE:
        return Check(left, operator, ListValue(tuple(map(TextValue, draw(st.lists(literals, max_size=3))))))
    if operator not in ("<", "<=", ">", ">=") and draw(st.integers(0, 3)) == 0:
        modifier = draw(st.sampled_from(("oneof", "anyof", "allof")))
        return Check(left, operator, ListValue(tuple(map(TextValue, draw(st.lists(literals, max_size=3))))), modifier)
    make = NumberValue if operator[0] in "<>" else TextValue
    return Check(left, operator, make(draw(literals)))


def conditions() -> st.SearchStrategy[Node]:
    """Trees of checks."""

    def extend(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        several = st.lists(inner, min_size=2, max_size=4).map(tuple)
        return st.one_of(several.map(And), several.map(Or), inner.map(Not))

    return st.recursive(checks(), extend, max_leaves=8)


def _value(name: str) -> st.SearchStrategy[Any]:
    field = FIELDS[name]
    one = st.sampled_from(_VALUES.get(field.type, NUMBERS))
    if name == "proc.env":
        return st.lists(st.tuples(st.sampled_from(("HOME", "LD_PRELOAD")), st.sampled_from(TEXTS)), max_size=2).map(tuple)
    if name == "evt.raw":
        typed = st.sampled_from((*NUMBERS, "a"))
        return st.tuples(st.tuples(st.just("x"), one), st.tuples(st.just("uid"), typed))
    if name in ("fd.ip", "fd.net", "fd.port"):
        return st.one_of(st.tuples(one, one), one)
    if field.is_list or name == "proc.aname":
        return st.lists(one, max_size=3).map(tuple)
    return one


@st.composite
def facts(draw: st.DrawFn) -> dict[str, Any]:
    """Raw facts of an event, some of them missing, none unknown."""
    result = {}
    for name, field in FIELDS.items():
        if field.function is None and name not in ("evt.type", "evt.num", "fd.net", "fd.snet"):
            result[name] = draw(st.one_of(st.none(), _value(name), _value(name), _value(name), _value(name)))
    result["fd.net"], result["fd.snet"] = result["fd.ip"], result["fd.sip"]
    return result


@st.composite
def hidden(draw: st.DrawFn, known: dict[str, Any]) -> dict[str, Any]:
    """The same facts with some of them not known yet."""
    names = draw(st.sets(st.sampled_from(sorted(known)), max_size=4))
    unknown = dict.fromkeys(names, PENDING)
    for one, other in (("fd.net", "fd.ip"), ("fd.snet", "fd.sip")):
        if one in unknown or other in unknown:
            unknown[one] = unknown[other] = PENDING
    return {**known, **unknown}
