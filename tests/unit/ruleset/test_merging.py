"""Redefining, appending and overriding (rule language, section 6)."""

from __future__ import annotations

import pytest

from tests.unit.ruleset.made import by_name, codes, condition_of, error, errors, loaded, rule
from tiercel.alert import Priority

LIST = "- list: l\n  items: [a]\n"
MACRO = "- macro: m\n  condition: proc.name in (l)\n"


@pytest.mark.parametrize("how", ["append: true", "override: {items: append}"])
def test_items_are_appended(how: str) -> None:
    more = f"- list: l\n  items: [b c, d]\n  {how}\n"
    assert condition_of(LIST + more + rule(condition="evt.type = open and proc.name in (l)")) == (
        '(evt.type = open and proc.name in (a, "b c", d))'
    )
    assert codes(LIST + more + rule(condition="evt.type = open and proc.name in (l)")) == (
        ["LOAD_DEPRECATED_ITEM"] if how == "append: true" else []
    )


@pytest.mark.parametrize("how", ["append: true", "override: {condition: append}"])
def test_conditions_are_appended(how: str) -> None:
    more = f"- macro: m\n  condition: or proc.name = x\n  {how}\n- rule: R\n  condition: and m\n  {how}\n"
    assert condition_of(LIST + MACRO + rule() + more) == "(evt.type = open and (proc.name in (a) or proc.name = x))"


def test_a_redefinition_is_complete() -> None:
    first = rule(tags="[a]", enabled="false", exceptions="[{name: e, fields: proc.name, values: [x]}]")
    (found,) = loaded(first + rule(condition="evt.type = close")).rules
    assert (found.tags, found.enabled, found.exceptions) == ((), True, ())


def test_override_appends_and_replaces() -> None:
    first = rule(tags="[b]", desc="one", output="'%proc.name'", exceptions="[{name: e, fields: proc.name, values: [x]}]")
    second = """
- rule: R
  condition: and evt.num > 1
  output: "and %proc.exe "
  desc: two
  tags: [c, a]
  priority: CRITICAL
  enabled: false
  warn_evttypes: false
  skip-if-unknown-filter: true
  capture: true
  capture_duration: 7
  override: {condition: append, output: append, desc: append, tags: append, priority: replace, enabled: replace, warn_evttypes: replace,
    skip-if-unknown-filter: replace, capture: replace, capture_duration: replace}
"""
    (found,) = loaded(first, second).rules
    assert (found.description, found.tags, found.output.text) == ("one two", ("a", "b", "c"), "%proc.name and %proc.exe")
    assert (found.condition_text, found.output_text) == ("evt.type = open and evt.num > 1", "%proc.name and %proc.exe")
    assert (found.priority, found.enabled, found.warn_evttypes) == (Priority.CRITICAL, False, False)
    assert (found.skip_if_unknown_filter, found.capture, found.capture_duration) == (True, True, 7)
    third = "- rule: R\n  condition: evt.type = close\n  output: o2\n  desc: x\n  tags: [z]\n  exceptions: []\n"
    third += "  override: {condition: replace, output: replace, desc: replace, tags: replace, exceptions: replace}\n"
    (found,) = loaded(first, second, third).rules
    assert (found.condition_text, found.output.text, found.description, found.tags) == ("evt.type = close", "o2", "x", ("z",))
    assert found.exceptions == ()


def test_appends_come_before_replaces_of_the_same_item() -> None:
    second = "- rule: R\n  condition: and evt.num > 1\n  desc: x\n  override: {desc: replace, condition: append}\n"
    (found,) = loaded(rule() + second).rules
    assert (found.condition_text, found.description) == ("evt.type = open and evt.num > 1", "x")


def test_replacing_defines_lists_and_macros_that_do_not_exist() -> None:
    text = "- list: l\n  items: [q]\n  override: {items: replace}\n- macro: m\n  condition: proc.name in (l)\n  override: {condition: replace}\n"
    assert condition_of(text + rule(condition="evt.type = open and m")) == "(evt.type = open and proc.name in (q))"


def test_append_true_ignores_other_keys() -> None:
    more = "- rule: R\n  condition: and evt.num > 1\n  enabled: true\n  output: x\n  priority: DEBUG\n  append: true\n"
    (found,) = loaded(rule(enabled="false") + more).rules
    assert (found.enabled, found.output.text, found.priority) == (False, "o", Priority.INFORMATIONAL)


def test_an_override_that_says_nothing_is_none() -> None:
    assert condition_of(rule(override="{}")) == "evt.type = open"
    assert condition_of(rule(override="")) == "evt.type = open"


YAML = "LOAD_ERR_YAML_VALIDATE"
VALIDATE = "LOAD_ERR_VALIDATE"


@pytest.mark.parametrize(
    ("item", "code", "message"),
    [
        ("- rule: R\n  priority: INFO\n  override: {priority: append}", YAML, "Key 'priority' cannot be appended to, use 'replace' instead"),
        ("- rule: R\n  source: x\n  override: {source: append}", YAML, "Key 'source' cannot be appended to"),
        ("- rule: R\n  source: x\n  override: {source: replace}", YAML, "Key 'source' cannot be replaced"),
        ("- list: l\n  items: [x]\n  override: {items: delete}", YAML,
         "Invalid override operation for key 'items': 'delete'. Allowed values are: append replace "),
        ("- list: l\n  items: [x]\n  override: {items: [append]}", YAML, "Invalid override operation for key 'items'"),
        ("- list: l\n  items: [x]\n  override: [items]", YAML, "Value is not a mapping (key 'override')"),
        ("- rule: R\n  desc: x\n  override: {desc: append, output: append}", YAML,
         "An append override for 'output' was specified but 'output' is not defined"),
        ("- rule: R\n  desc: x\n  override: {desc: append, output: replace}", YAML,
         "An replace override for 'output' was specified but 'output' is not defined"),
        ("- rule: R\n  desc: x\n  priority: INFO\n  override: {desc: append}", YAML,
         "1.yaml:8:3: rule \"R\": Unexpected key 'priority': no corresponding entry under 'override' is defined."),
        ("- rule: R\n  desc: x\n  append: true\n  override: {desc: append}", YAML,
         "Keys 'override' and 'append: true' cannot be used together. "
         "Add an 'append' entry (e.g. 'condition: append') under 'override' instead."),
        ("- list: l\n  items: [x]\n  append: true\n  override: {items: append}", YAML, "cannot be used together"),
        ("- list: z\n  items: [x]\n  append: true", VALIDATE,
         "List uses 'append' or 'override.items: append' but no list by that name already exists"),
        ("- macro: z\n  condition: and x\n  override: {condition: append}", VALIDATE,
         "Macro uses 'append' or 'override.condition: append' but no macro by that name already exists"),
        ("- rule: Z\n  condition: and evt.num > 1\n  append: true", VALIDATE,
         "Rule uses 'append' or 'override.<key>: append' but no rule by that name already exists"),
        ("- rule: Z\n  append: true", VALIDATE, "Rule uses 'append' or 'override.<key>: append' but no rule by that name already exists"),
        ("- rule: Z\n  desc: x\n  override: {desc: replace}", VALIDATE,
         "An 'override.<key>: replace' to a rule was requested but no rule by that name already exists"),
        ("- rule: R\n  append: true", VALIDATE, "Appended rule must have exceptions or condition property"),
        ("- rule: R\n  condition: and evt.num > 1\n  source: k8s_audit\n  append: true", VALIDATE,
         "Rule has been re-defined with a different source (got k8s_audit, expected syscall)"),
        ("- rule: R\n  condition: evt.num > 1\n  source: k8s_audit\n  override: {condition: replace}", VALIDATE,
         "Rule has been re-defined with a different source"),
    ],
)  # fmt: skip
def test_errors(item: str, code: str, message: str) -> None:
    found = errors(rule() + item)
    assert found[0].code == code
    assert message in str(found[0])


def test_a_dangling_append_has_no_consequences() -> None:
    text = "- list: z\n  items: [x]\n  append: true\n- macro: y\n  condition: and x\n  append: true\n"
    assert len(errors(text + rule(condition="y and proc.name in (z)"))) == 2


def test_the_source_may_be_left_out_of_changes() -> None:
    first = rule(source="k8s_audit", condition="evt.type = open")
    assert (
        condition_of(first, "- rule: R\n  condition: and evt.num > 1\n  append: true\n  source:\n") == "(evt.type = open and evt.num > 1)"
    )
    assert condition_of(first, "- rule: R\n  desc: x\n  source: syscall\n  override: {desc: append}\n") == "evt.type = open"


def test_a_redefined_rule_keeps_its_place() -> None:
    found = loaded(rule("A") + rule("B"), rule("A", "evt.type = close")).rules
    assert [each.name for each in found] == ["A", "B"]
    assert (found[0].file, found[0].line) == ("2.yaml", 1)


def test_an_appended_macro_sees_what_was_defined_before_the_change() -> None:
    text = "- macro: a\n  condition: evt.type = open\n- macro: b\n  condition: evt.num > 1\n"
    more = "- macro: a\n  condition: and b\n  override: {condition: append}\n"
    assert condition_of(text + more + rule(condition="a")) == "(evt.type = open and evt.num > 1)"


class TestEachFileMustCompileWithThoseBeforeIt:
    def test_what_a_later_file_mends_is_an_error(self) -> None:
        mended = "- macro: m\n  condition: evt.type = open\n"
        assert error(rule(condition="m"), mended).startswith("LOAD_ERR_VALIDATE 1.yaml:3:14")
        assert "1.yaml:3:" in error(rule(condition="evt.type = opn"), rule())

    def test_a_later_list_changes_earlier_conditions(self) -> None:
        first = "- macro: m\n  condition: proc.name in (l, x)\n" + rule("A", "evt.type = open and m") + rule("B", "proc.name = l")
        first += "- list: k\n  items: [l]\n" + rule("C", "evt.type = open and proc.name in (k)")
        second = "- list: l\n  items: [y]\n"
        assert [condition_of(first, second, name=name) for name in "ABC"] == [
            "(evt.type = open and proc.name in (y, x))", "proc.name = y", "(evt.type = open and proc.name in (y))",
        ]  # fmt: skip

    def test_a_later_macro_changes_rules_and_macros_that_use_it(self) -> None:
        first = "- macro: m\n  condition: evt.type = open\n- macro: n\n  condition: m or evt.type = close\n" + rule(condition="n")
        assert condition_of(first, "- macro: m\n  condition: evt.type = execve\n") == "(evt.type = execve or evt.type = close)"
        assert by_name(loaded(first, "- macro: m\n  condition: evt.type = execve\n"))["R"].event_types == frozenset({"execve", "close"})

    def test_a_later_change_breaks_earlier_rules_in_place(self) -> None:
        first = "- list: l\n  items: ['80']\n" + rule(condition="evt.type = open and fd.sport in (l)")
        assert error(first, "- list: l\n  items: [nothing]\n").startswith("LOAD_ERR_COMPILE_CONDITION 1.yaml:5:47")
        loop = "- macro: a\n  condition: evt.num > 1\n- macro: b\n  condition: a\n" + rule(condition="b")
        assert len(errors(loop, "- macro: a\n  condition: b\n")) == 2

    def test_what_becomes_unused_or_used_later(self) -> None:
        text = "- list: l\n  items: [a]\n- macro: m\n  condition: proc.name in (l)\n"
        assert codes(text, rule(condition="evt.type = open and m")) == []
        assert codes(text, rule(condition="evt.type = open and m"), rule()) == ["LOAD_UNUSED_MACRO"]

    def test_many_files_take_linear_time(self) -> None:
        files = ["- list: l\n  items: [a]\n" + "".join(rule(f"R{number}", "evt.type = open and proc.name in (l)") for number in range(300))]
        files += [rule(f"S{number}") for number in range(300)]
        assert len(loaded(*files).rules) == 600
