"""Hostile and broken files: a located error, or a correct load, in little time and memory."""

from __future__ import annotations

import time
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ruleset.made import condition_of, error, errors, loaded, rule
from tiercel.errors import RuleError
from tiercel.ruleset.places import MAX_ERRORS, MAX_WARNINGS

LAUGH = "- a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"  {chr(98 + level)}: &{chr(98 + level)} [{','.join(['*' + chr(97 + level)] * 10)}]\n" for level in range(9)
)
CHAIN = "- macro: m0\n  condition: evt.type = open\n" + "".join(f"- macro: m{n}\n  condition: m{n - 1}\n" for n in range(1, 5000))
LOOP = "".join(f"- macro: m{n}\n  condition: evt.num > 1\n" for n in range(2000)) + "".join(
    f"- macro: m{n}\n  condition: m{(n + 1) % 2000}\n" for n in range(2000)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- list: l\n  items:\n" + "  - abc\n" * 1_000_000, "bad YAML: too large"),
        ("- rule: R\n" + "".join(f"  k{number}: 1\n" for number in range(500_000)), "bad YAML: too large"),
        (LAUGH, "1.yaml:6:10: bad YAML: too large"),
        ("- list: l\n  items: &l [*l]\n", "1.yaml:2:14: bad YAML: an alias of something that it is part of (got *l)"),
        ("- list: l\n  items: [" + "&a '" + "x" * 1_000_000 + "'" + ", *a" * 1000 + "]", "bad YAML: too large"),
        (rule(condition="a" * 10_000_000), '1.yaml:3:14: rule "R": condition: too long (got 10,000,000 characters'),
        (rule(output="x" * 10_000_000), '1.yaml:4:11: rule "R": output: too long (got 10,000,000 characters'),
        (f"- list: l\n  items: [{'x' * 10_000_000}]\n" + rule(condition="proc.name in (l)"), "too long with its lists filled in"),
        ("- list: l\n  items: [" + "x, " * 90_000 + "]\n" + "".join(rule(f"R{n}", "proc.name in (l)") for n in range(1000)),
         "all conditions together are too long with their lists filled in"),
        ("- macro: m\n  condition: " + " or ".join(f"evt.num = {n}" for n in range(19_000)) + "\n"
         + "".join(rule(f"R{n}", "m") for n in range(100)), "all rules together are too large"),
        ("".join(f"- list: l{n}\n  items: [{', '.join(f'l{m}' for m in range(max(0, n - 100), n))}]\n" for n in range(1000)),
         "too many items, those of lists in lists included"),
        (LOOP, "reference loop in macro 'm"),
        ("-\trule: x\n", "1.yaml:1:2: bad YAML"),
        ("- list: \x00", "1.yaml:1:9: bad YAML: character that YAML does not allow"),
        (rule().encode("utf-16").decode("latin-1"), "character that YAML does not allow (got U+0000)"),
        ("- list: and\n  items: [x]\n" + rule(condition="evt.type = open and evt.num > 1"), "(after and was filled in)"),
        ("- list: in\n  items: [x]\n" + rule(condition="evt.type in (open)"), "1.yaml:5:23: "),
        ("- list: exists\n  items: []\n" + rule(condition="evt.type exists"), "(after exists was filled in)"),
    ],
    ids=range(18),
)  # fmt: skip
def test_what_is_refused(text: str, message: str) -> None:
    start = time.process_time()
    found = errors(text)
    assert message in str(found[0])
    assert found[0].line >= 1
    assert len(found) <= MAX_ERRORS
    assert time.process_time() - start < 15  # a second or two on an idle machine; the point is that nothing explodes


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        (rule(condition='"evt.type\t=\topen"'), "evt.type = open"),
        ("\ufeff" + rule(), "evt.type = open"),
        (rule().replace("\n", "\r\n"), "evt.type = open"),
        ("- list: '='\n  items: [x]\n- list: '('\n  items: [x]\n" + rule(condition="(evt.type = open)"), "evt.type = open"),
        ("- list: open\n  items: [close]\n" + rule(), "evt.type = close"),
        (CHAIN + rule(condition="m4999"), "evt.type = open"),
        ("".join(f"- list: l{n}\n  items: [x{n}]\n" for n in range(3000)) + rule(condition="proc.name = l2999"), "proc.name = x2999"),
        ("- list: l\n  items: &items [a, b]\n- list: k\n  items: *items\n" + rule(condition="proc.name in (k)"), "proc.name in (a, b)"),
    ],
    ids=range(8),
)
def test_what_loads(text: str, condition: str) -> None:
    assert condition_of(text) == condition


def test_duplicate_keys_are_a_warning_and_the_first_counts() -> None:
    found = loaded(rule().replace("  desc: d\n", "  desc: d\n  desc: e\n"))
    assert found.rules[0].description == "d"
    assert [each.code for each in found.warnings] == ["LOAD_DUPLICATE_KEY"]


def test_reports_are_bounded_and_what_is_dropped_is_counted() -> None:
    assert len(errors("- rule: 1\n" * 10_000)) == MAX_ERRORS
    found = loaded("- nothing: 1\n" * (MAX_WARNINGS + 7))
    assert len(found.warnings) == MAX_WARNINGS + 1
    assert found.warnings[-1].message.startswith("and 7 more warnings")
    many = "".join(rule(f"R{number}", " or ".join(["a.b = 1"] * 100)) for number in range(20))
    assert len(errors(many)) == MAX_ERRORS


def test_a_name_cannot_flood_the_reports() -> None:
    assert len(error(rule("R" * 100_000, "evt.type = opn"))) < 1000


TEXTS = st.one_of(
    st.sampled_from(("R", "m", "l", "evt.type = open", "and m", "proc.name in (l)", "(", "%proc.name", "INFO", "append", "replace", "syscall", "in")),
    st.text(max_size=8),
)  # fmt: skip
KEYS = st.sampled_from(
    ("rule", "macro", "list", "condition", "items", "output", "desc", "priority", "source", "enabled", "append", "override", "exceptions", "name",
     "fields", "comps", "values", "tags", "capture", "capture_duration", "required_plugin_versions", "required_engine_version", "version",
     "alternatives", "skip-if-unknown-filter", "warn_evttypes")
)  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(TEXTS, st.none(), st.booleans(), st.integers(-5, 5)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=12,
)
EXCEPTIONS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(("e", "f"))},
        optional={
            "fields": st.one_of(st.just("proc.name"), st.lists(st.sampled_from(("proc.name", "evt.num", "tolower(proc.exe)", "x")), max_size=2)),
            "comps": st.one_of(st.sampled_from(("in", "pmatch", "startswith oneof")), st.lists(st.sampled_from(("=", "in", "contains anyof")), max_size=2)),
            "values": st.lists(st.one_of(TEXTS, st.lists(st.one_of(TEXTS, st.lists(TEXTS, max_size=2)), max_size=2)), max_size=3),
        },
    ),
    max_size=2,
)  # fmt: skip
OVERRIDES = st.dictionaries(KEYS, st.sampled_from(("append", "replace", "x")), max_size=3)
ITEMS = st.one_of(
    st.fixed_dictionaries({"list": st.sampled_from(("l", "k"))}, optional={"items": st.lists(TEXTS, max_size=3), "append": st.booleans()}),
    st.fixed_dictionaries(
        {"macro": st.sampled_from(("m", "n"))}, optional={"condition": TEXTS, "append": st.booleans(), "override": OVERRIDES}
    ),
    st.fixed_dictionaries(
        {"rule": st.sampled_from(("R", "S"))},
        optional={
            "condition": TEXTS, "output": TEXTS, "desc": TEXTS, "priority": st.sampled_from(("INFO", "x")), "exceptions": EXCEPTIONS,
            "append": st.booleans(), "override": OVERRIDES, "enabled": st.booleans(), "tags": st.lists(TEXTS, max_size=2),
            "source": st.sampled_from(("syscall", "k8s_audit", "cloud")), "skip-if-unknown-filter": st.booleans(),
        },
    ),
    st.dictionaries(KEYS, VALUES, max_size=6),
)  # fmt: skip


@given(st.lists(st.lists(ITEMS, max_size=5), min_size=1, max_size=3))
def test_any_structure_loads_or_is_refused(files: list[Any]) -> None:
    texts = [yaml.safe_dump(each, allow_unicode=True) for each in files]
    try:
        found = loaded(*texts, plugins={})
    except RuleError as problem:
        assert any(not each.warning for each in problem.diagnostics)
        assert all(each.file.endswith(".yaml") and each.message and each.line >= 0 for each in problem.diagnostics)
        return
    assert all(rule.condition_text for rule in found.rules)
    assert len({rule.name for rule in found.rules}) == len(found.rules)


@given(VALUES)
def test_any_document_loads_or_is_refused(value: Any) -> None:
    try:
        loaded(yaml.safe_dump(value, allow_unicode=True))
    except RuleError as problem:
        assert problem.diagnostics
