from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ruleset.made import by_name, codes, condition_of, error, errors, loaded, rule
from tiercel.alert import Priority
from tiercel.errors import Diagnostic, RuleError
from tiercel.lang.canonical import canonical


def test_a_rule() -> None:
    text = """
- rule: Shell
  desc: a shell
  condition: >
    evt.type = execve and
    proc.name = bash
  output: "  shell %proc.name  "
  priority: wArning
  tags: [b, a, b]
  enabled: "no"
"""
    (found,) = loaded(text).rules
    assert canonical(found.condition) == "(evt.type = execve and proc.name = bash)"
    assert (found.name, found.description, found.source) == ("Shell", "a shell", "syscall")
    assert found.condition_text == "evt.type = execve and proc.name = bash"
    assert found.output.text == "shell %proc.name"
    assert found.priority is Priority.WARNING
    assert found.tags == ("a", "b")
    assert not found.enabled
    assert found.event_types == frozenset({"execve"})
    assert (found.file, found.line) == ("1.yaml", 2)


def test_lists_and_macros_are_filled_in() -> None:
    text = """
- list: shells
  items: [bash, zsh]
- list: programs
  items: [shells, "a b"]
- macro: opens
  condition: evt.type in (open, openat) or evt.type = close
- macro: program
  condition: opens and proc.name in (programs)
""" + rule(condition="program and not evt.write = true")
    assert condition_of(text) == (
        '(((evt.type in (open, openat) or evt.type = close) and proc.name in (bash, zsh, "a b")) and not evt.write = true)'
    )
    assert by_name(loaded(text))["R"].event_types == frozenset({"open", "openat", "close"})
    assert loaded(text).warnings == ()


def test_later_definitions_replace_earlier_ones_and_keep_their_place() -> None:
    first = "- list: l\n  items: [a]\n- macro: m\n  condition: proc.name in (l)\n" + rule("R", "evt.type = open and m") + rule("S")
    second = "- list: l\n  items: [b]\n- macro: m\n  condition: not proc.name in (l)\n" + rule("R", "evt.type = close and m", tags="[x]")
    found = loaded(first, second)
    assert [each.name for each in found.rules] == ["R", "S"]
    assert condition_of(first, second) == "(evt.type = close and not proc.name in (b))"
    assert (found.rules[0].file, found.rules[0].tags) == ("2.yaml", ("x",))


def test_a_lone_enabled_sets_the_flag() -> None:
    found = loaded(rule() + "- rule: R\n  enabled: false\n")
    assert not found.rules[0].enabled
    assert [each.code for each in found.warnings] == ["LOAD_DEPRECATED_ITEM"]
    assert 'no rule by that name already exists (did you mean "Rule 1"?)' in error(rule("Rule 1") + "- rule: Rule 2\n  enabled: false\n")


def test_documents_empty_ones_and_null_elements() -> None:
    assert [each.name for each in loaded("---\n---\n" + rule("A") + "---\n-\n" + rule("B")).rules] == ["A", "B"]
    assert loaded("").rules == ()


def test_rules_of_unknown_sources_are_left_out() -> None:
    found = loaded(rule(source="k8s_audi", condition="no.such = 1") + "- rule: R\n  enabled: true\n")
    assert found.rules == ()
    assert found.warnings[0].code == "LOAD_UNKNOWN_SOURCE"
    assert 'Unknown source k8s_audi, skipping (did you mean "k8s_audit"?)' in found.warnings[0].message


def test_a_rule_keeps_its_source() -> None:
    text = error(rule(source="k8s_audit"), rule())
    assert text.startswith("LOAD_ERR_VALIDATE 2.yaml:1:9: ")
    assert "Rule has been re-defined with a different source (got syscall, expected k8s_audit)" in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("just text", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:1: Rules content is not yaml"),
        ("a: b", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:1: Rules content is not yaml array of objects"),
        ("- a", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:3: Unexpected element type."),
        ("- ? [a]\n  : b\n  list: x\n  items: []", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:5: Unexpected key type"),
        ("- list: x", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:3: list \"x\": Item has no mapping for key 'items'"),
        ("- list: x\n  itmes: []", "Item has no mapping for key 'items' (is it \"itmes\"?)"),
        ("- list: x\n  items:", "LOAD_ERR_YAML_VALIDATE 1.yaml:2:3: list \"x\": Mapping for key 'items' is empty"),
        ("- list: x\n  items: a", "1.yaml:2:10: list \"x\": Value is not a sequence (key 'items')"),
        ("- list: x\n  items: [a, [b]]", "1.yaml:2:14: list \"x\": sequence value is not scalar (key 'items')"),
        ("- list:\n  items: []", "Mapping for key 'list' is empty"),
        ("- macro: m\n  condition: ''", "Value must be non-empty (key 'condition')"),
        ("- macro: m\n  condition: [a]", "Value is not a scalar value (key 'condition')"),
        ("- rule: R\n  condition: evt.num > 1\n  output: o\n  desc: d", "Item has no mapping for key 'priority'"),
        ("- rule: R\n  enabled: maybe", "Can't decode YAML scalar value (key 'enabled', got 'maybe', expected true or false)"),
        (rule(priority="hi"), "Invalid priority: unknown priority (got 'hi'"),
        (rule(output="'%proc.nme'"), 'LOAD_ERR_COMPILE_OUTPUT 1.yaml:4:12: rule "R": output: unknown field "proc.nme" (did you mean'),
        (rule(condition="evt.type = opn"), 'LOAD_ERR_COMPILE_CONDITION 1.yaml:3:25: rule "R": condition: unknown event type opn'),
        (rule(condition="evt.type ="), 'LOAD_ERR_COMPILE_CONDITION 1.yaml:3:24: rule "R": condition: expected a value'),
        (
            rule(condition="evt.type = open and opens"),
            "LOAD_ERR_VALIDATE 1.yaml:3:34: rule \"R\": condition: Undefined macro 'opens' used in",
        ),
        (
            "- required_engine_version: 1.0.0",
            "LOAD_ERR_VALIDATE 1.yaml:1:28: Rules require engine version 1.0.0, but engine version is 0.63.0",
        ),
        ("- required_engine_version: 64", "Rules require engine version 0.64.0, but"),
        ("- required_engine_version: x", "Unable to parse engine version 'x' as a semver string"),
        ("a: b: c", "LOAD_ERR_YAML_PARSE 1.yaml:1:5: bad YAML: mapping values are not allowed"),
    ],
)
def test_errors(text: str, expected: str) -> None:
    assert expected in error(text)


def test_keys_that_say_nothing_are_fine() -> None:
    text = rule(exceptions="[]", capture="false", append="no", skip_if_unknown_filter="off")
    assert loaded("- required_engine_version: 0.26.0\n- required_engine_version: 31\n" + text).warnings == ()


def test_warnings() -> None:
    text = """
- list: bad name
  items: [x]
- macro: 1m
  condition: evt.num > 1
- lisst: x
- macro: m
  condition: proc.name in (bad name)
  condition: oops oops
  typo: 1
"""
    found = loaded(text + rule(condition="m", oputput="x"))
    assert [each.code for each in found.warnings] == [
        "LOAD_INVALID_LIST_NAME",
        "LOAD_INVALID_MACRO_NAME",
        "LOAD_UNUSED_MACRO",
        "LOAD_UNKNOWN_ITEM",
        "LOAD_DUPLICATE_KEY",
        "LOAD_UNKNOWN_KEY",
        "LOAD_NO_EVTTYPE",
        "LOAD_UNKNOWN_KEY",
    ]
    assert "Unknown key 'oputput' (did you mean \"output\"?). The key will be ignored." in found.warnings[-1].message
    assert condition_of(text + rule(condition="m")) == "proc.name in (x)"
    assert codes(rule(condition="proc.name = x", warn_evttypes="false")) == []
    assert codes("- list: l\n  items: []\n" + rule()) == ["LOAD_UNUSED_LIST"]
    assert codes(rule(condition="evt.type = open and evt.dir = <", output="'%evt.dir'")) == ["LOAD_DEPRECATED_ITEM"] * 2
    assert codes(rule(condition="evt.type = open and proc.name in shells")) == ["LOAD_COMPILE_CONDITION"]


def test_all_errors_of_all_files_in_order() -> None:
    bad = """
- macro: shell
  condition: proc.nme = bash
- rule: R
  desc: d
  condition: >
    evt.type = open and shell
    and (evt.res = x or
      fd.sip = y)
  output: "%a.b"
  priority: no
"""
    found = errors(bad, "a: b: c", rule("S", "evt.type = open and shell and ("))
    assert [(each.file, each.line, each.column) for each in found] == [
        ("1.yaml", 3, 14),
        ("1.yaml", 8, 20),
        ("1.yaml", 9, 16),
        ("1.yaml", 10, 12),
        ("1.yaml", 11, 13),
        ("2.yaml", 1, 5),
        ("3.yaml", 3, 45),
    ]
    assert found[2].snippet == "      fd.sip = y)\n               ^"


def test_an_error_in_a_macro_is_said_once() -> None:
    macro = "- macro: m\n  condition: proc.nme = bash and evt.type = open\n- macro: n\n  condition: m and m\n"
    assert "1.yaml:2:14" in error(macro + rule("A", "n") + rule("B", "m") + rule("C", "n or m"))
    broken = "- macro: m\n  condition: a b\n"
    assert "1.yaml:2:16" in error(broken + rule("A", "m"))
    assert "Item has no mapping for key 'condition'" in error("- macro: m\n" + rule("A", "m"))


def test_macros_are_checked_for_each_source_that_uses_them() -> None:
    text = "- macro: m\n  condition: evt.type = pluginevent\n"
    assert loaded(text + rule("A", "m", source="k8s_audit")).rules[0].event_types == frozenset({"pluginevent"})
    assert "unknown event type pluginevent" in error(text + rule("A", "m", source="k8s_audit") + rule("B", "m"))


def test_macros_see_what_comes_before_them() -> None:
    late = "- macro: a\n  condition: b\n- macro: b\n  condition: evt.type = open\n"
    assert "Undefined macro 'b' used in filter. (it is defined too late, in 1.yaml:3; move it up)" in error(late + rule(condition="a"))
    assert condition_of(late + "- macro: a\n  condition: b\n" + rule(condition="a")) == "evt.type = open"
    assert condition_of(rule(condition="m") + "- macro: m\n  condition: evt.type = open\n") == "evt.type = open"
    assert "it is defined too late, in 2.yaml:1" in error(rule(condition="m"), "- macro: m\n  condition: evt.type = open\n")


def test_macros_in_a_circle() -> None:
    assert "reference loop in macro 'a'" in error("- macro: a\n  condition: not a\n" + rule(condition="a"))
    circle = "- macro: a\n  condition: evt.num > 1\n- macro: b\n  condition: a\n- macro: a\n  condition: b or evt.num > 2\n"
    assert [each.message for each in errors(circle + rule(condition="a"))] == [
        "macro \"b\": condition: reference loop in macro 'b' (b -> a -> b)",
        "macro \"a\": condition: reference loop in macro 'a' (a -> b -> a)",
    ]


def test_problems_in_filled_in_lists_are_led_back_to_the_name() -> None:
    lists = "- list: ports\n  items: [80, htp]\n"
    assert '1.yaml:5:47: rule "R": condition: fd.sport: bad port' in error(
        lists + rule(condition="evt.type = open and fd.sport in (ports)")
    )
    text = error(lists + rule(condition="evt.type = open and fd.sport in ports and proc.name = x"))
    assert "(after ports was filled in)" in text


def test_limits_of_size() -> None:
    doubling = "- macro: m0\n  condition: evt.type = open\n" + "".join(
        f"- macro: m{number}\n  condition: m{number - 1} or not m{number - 1}\n" for number in range(1, 40)
    )
    assert "too large, macros included" in error(doubling + rule(condition="m39"))
    chain = "- macro: m0\n  condition: evt.type = open\n" + "".join(
        f"- macro: m{number}\n  condition: evt.num > 0 and m{number - 1}\n" for number in range(1, 2000)
    )
    assert "nested too deep, macros included (got 101 levels" in error(chain + rule(condition="m1999"))
    assert condition_of("- macro: m\n  condition: evt.type = open\n" + rule(condition="(" * 100 + "m" + ")" * 100)) == "evt.type = open"
    assert "nested too deep" in error(rule(condition="(evt.num > 0 and " * 200 + "evt.num > 0" + ")" * 200))
    assert "exceeded max depth limit of 1000" in error(rule(condition="(" * 5000))


def test_a_thousand_rules_load_in_seconds() -> None:
    lists = "- list: names\n  items: [" + ", ".join(f"n{number}" for number in range(100)) + "]\n"
    text = (
        lists
        + "- macro: m\n  condition: evt.type in (open, close) and proc.name in (names)\n"
        + "".join(
            rule(f"R{number}", f"m and (proc.exe startswith /{number} or not fd.sip in (10.0.0.1, 10.0.0.{number % 250})) and evt.res >= 0")
            for number in range(500)
        )
    )
    start = time.process_time()
    assert len(loaded(text).rules) == 500
    assert time.process_time() - start < 5


WORDS = st.sampled_from(
    (
        "- ",
        "rule: R",
        "macro: m",
        "list: l",
        "condition: ",
        "items: [a, l]",
        "desc: d",
        "output: '%proc.name'",
        "priority: INFO",
        "\n",
        "\n  ",
        "evt.type = open",
        " and ",
        "m",
        "(",
        ")",
        "|\n    ",
        "'",
        "%x",
        "enabled: false",
        "tags: [a]",
        "---\n",
        "*a",
        "&a ",
        "source: x",
        "[",
        "{",
        ":",
    )
)


@given(st.one_of(st.text(max_size=100), st.lists(WORDS, max_size=30).map("".join)))
def test_any_text_loads_or_is_refused(text: str) -> None:
    diagnostics: Sequence[Diagnostic] | None = None
    try:
        loaded(text)
    except RuleError as problem:
        diagnostics = problem.diagnostics
    assert diagnostics is None or diagnostics
    assert all(each.file == "1.yaml" and each.message for each in diagnostics or ())
