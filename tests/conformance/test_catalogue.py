"""Our fields of source ``syscall`` are Falco's: type, argument and flags of every field that the reference lists; the stock rules load."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.unit.distributions import tiercel_itself
from tiercel.config.rules import known_event_types
from tiercel.errors import RuleError
from tiercel.fields import Argument, Field, FieldType
from tiercel.plugins import PluginHost
from tiercel.ruleset.loader import load

CLASSES: Final = {
    "evt (generic)": 18, "evt (syscall)": 58, "process": 90, "user": 6, "group": 2, "fd": 46, "fs.path": 6, "fdlist": 6, "util": 1,
    "container plugin": 61,
}  # fmt: skip
"""Classes of the reference that the source has, with the number of their fields."""
OURS: Final = {"fd.realpath"}
"""Fields that Falco does not have (docs/compatibility.md)."""
BARE: Final = "evt.abspath"
"""The reference marks its argument as required, and describes the field without one: for calls with a single path."""
STOCK: Final = ("falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml")
UNKNOWN: Final = re.compile(r"unknown (field|event type|filter)|argument|operator not supported|cannot be (compared|transformed)")


class Described(NamedTuple):
    """What the reference says of a field."""

    type: str
    argument: str
    in_output: bool
    in_comparison: bool
    in_transformer: bool
    suggested: bool


def described(notes: str, kind: str) -> Described:
    words = {word.strip() for word in notes.split(",")}
    argument = "required" if "arg" in words else "optional" if "(arg)" in words else "none"
    return Described(
        kind, argument, "filter only" not in words, "no rhs" not in words, "no transformer" not in words, "suggested" in words
    )  # fmt: skip


def of_field(field: Field) -> Described:
    kind = "string" if field.type is FieldType.PATH else field.type.value  # the reference does not tell the two kinds of text apart
    argument = {Argument.NONE: "none", Argument.INDEX: "required", Argument.KEY: "required"}.get(field.argument, "optional")
    return Described(
        f"list of {kind}" if field.is_list else kind, argument, field.in_output, field.in_comparison, field.in_transformer, field.suggested
    )  # fmt: skip


def reference(shared: Path) -> dict[str, Described]:
    """The fields of `CLASSES`."""
    text = (shared / "reference" / "fields.md").read_text(encoding="utf-8")
    out: dict[str, Described] = {}
    for name, count in CLASSES.items():
        body = text.partition(f"### {name} (")[2].partition("\n### ")[0]
        rows = re.findall(r"^\| ([a-z0-9_.]+) \| ([^|]+) \| ([^|]*) \| .* \|$", body, re.MULTILINE)
        found = {row[0]: described(row[2], row[1]) for row in rows if row[0] != "field"}
        assert len(found) == count, name
        out |= found
    return out


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> PluginHost:
    host = PluginHost(distributions=[tiercel_itself(tmp_path_factory.mktemp("site"), plugins=True)])
    host.load()
    assert host.problems() == []
    return host


def test_catalogue(shared: Path, host: PluginHost) -> None:
    wanted = reference(shared)
    have = {field.name: of_field(field) for field in host.fields().fields("syscall")}
    assert wanted.keys() - have.keys() == set()
    assert have.keys() - wanted.keys() == OURS
    wanted[BARE] = wanted[BARE]._replace(argument="optional")
    assert {name: (have[name], each) for name, each in wanted.items() if have[name] != each} == {}


@pytest.mark.parametrize("name", STOCK)
def test_stock_rules_find_their_fields_and_event_types(shared: Path, host: PluginHost, name: str) -> None:
    text = (shared / "falco-rules" / name).read_text(encoding="utf-8")
    try:
        load([(name, text)], catalogue=host.fields(), sources=frozenset({"syscall"}), event_types=known_event_types(host))
    except RuleError as error:
        assert [str(each) for each in error.diagnostics if UNKNOWN.search(each.message)] == []


def test_what_the_stock_rules_lack_would_be_seen(host: PluginHost) -> None:
    text = "- rule: a\n  desc: a\n  condition: evt.type = opening and proc.fame = x\n  output: '%proc.fame'\n  priority: INFO\n"
    with pytest.raises(RuleError) as caught:
        load([("a", text)], catalogue=host.fields(), sources=frozenset({"syscall"}), event_types=known_event_types(host))
    assert len([each for each in caught.value.diagnostics if UNKNOWN.search(each.message)]) == 3
