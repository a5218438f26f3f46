"""Evaluation as Falco's own test suites state it (conformance vectors)."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tiercel.engine.codegen import Generator
from tiercel.engine.groups import Groups
from tiercel.engine.nnf import normal_form
from tiercel.engine.tree import leaves
from tiercel.fields import Argument, Field, FieldType, Quantifier
from tiercel.lang.ast import Call, FieldRef, ListValue
from tiercel.lang.parser import parse

TYPES = {
    "string": FieldType.STRING, "bytebuf": FieldType.BYTES, "ipaddr": FieldType.IP, "ipaddr_any": FieldType.IP, "ipnet_any": FieldType.NET,
    "flags": FieldType.FLAGS, "uint": FieldType.UINT64, "int": FieldType.INT64, "abstime": FieldType.TIME, "list:string": FieldType.STRING,
    "ancestors": FieldType.STRING,
}  # fmt: skip
LATER = ("join(", "concat(", "getopt(", "b64(")
"""Transformers that rules cannot use yet."""
KNOWN_TYPES = {"evt.num": FieldType.UINT64, "evt.rawres": FieldType.INT64, "fd.num": FieldType.INT64, "proc.pid": FieldType.INT64}


def field_of(name: str, kind: str | None, value: Any) -> Field:
    """The mock field of a vector."""
    either = kind in ("ipaddr_any", "ipnet_any")
    is_list = isinstance(value, list) and not either and kind != "ancestors"
    quantifier = Quantifier.EITHER if either else Quantifier.ANY if kind == "ancestors" else Quantifier.ONE
    guessed = FieldType.BOOL if isinstance(value, bool) else FieldType.INT64 if isinstance(value, int) else FieldType.STRING
    field_type = TYPES[kind] if kind else KNOWN_TYPES.get(name, guessed)
    return Field(
        name=name, type=field_type, description="", is_list=is_list, quantifier=quantifier, argument=Argument.OPTIONAL_KEY,
        getter=lambda argument: lambda event: event.values.get(name if argument is None else f"{name}[{argument}]"),
    )  # fmt: skip


def python_value(kind: FieldType, value: Any, *, latin: bool) -> Any:
    """A value of a vector as the engine has it."""
    if isinstance(value, list):
        return tuple(python_value(kind, each, latin=latin) for each in value)
    if kind in (FieldType.IP, FieldType.NET):
        return ipaddress.ip_address(value).packed
    if kind.is_text or kind is FieldType.BYTES:
        raw = str(value).encode("latin-1" if latin else "utf-8", "surrogateescape")
        return raw if kind is FieldType.BYTES else raw.decode("utf-8", "surrogateescape")
    return int(value) if not isinstance(value, bool) else value


def refs(operand: Any) -> list[FieldRef]:
    """Fields of a check."""
    if isinstance(operand, FieldRef):
        return [operand]
    parts = operand.arguments if isinstance(operand, Call) else operand.items if isinstance(operand, ListValue) else ()
    return [ref for part in parts for ref in refs(part)]


def test_conditions_match_as_the_vectors_say(shared: Path) -> None:
    wrong, ran = [], 0
    for line in (shared / "vectors" / "evaluate.jsonl").read_text().splitlines():
        case = json.loads(line)
        if any(word in case["condition"] for word in LATER):
            continue
        tree = normal_form(parse(case["condition"]))
        types, latin = case.get("types", {}), case.get("encoding") == "latin-1"
        fields = {}
        for leaf in leaves(tree):
            for ref in refs(leaf.check.left) + refs(leaf.check.right):
                key = ref.name if ref.argument is None else f"{ref.name}[{ref.argument}]"
                fields[ref.name] = field_of(ref.name, types.get(key, types.get(ref.name)), case["event"].get(key))
        values = {
            name: python_value(fields[name.partition("[")[0]].type, value, latin=latin)
            for name, value in case["event"].items()
            if name.partition("[")[0] in fields and name not in case.get("missing", ())
        }
        catalogue: Any = SimpleNamespace(get=lambda name, _source, fields=fields: fields.get(name), names=lambda _source: ())
        matches = Generator(Groups(catalogue, "syscall")).condition(tree, may=False)
        ran += 1
        if matches(SimpleNamespace(values=values)) is not case["match"]:
            wrong.append(f"{case['id']}: {case['condition']} on {case['event']} should be {case['match']}")
    assert not wrong, "\n".join(wrong)
    assert ran > 200
