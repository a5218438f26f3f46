"""Rules that are left out: of unknown event sources, or because of what they name (rule language, sections 4 and 13)."""

from __future__ import annotations

import pytest

from tests.unit.ruleset.made import by_name, codes, condition_of, error, errors, loaded, rule

CLOUD = rule("Cloud", "cloud.verb = put", source="cloud", output="'%cloud.name'")


class TestUnknownSources:
    def test_the_fields_are_told_without_a_catalogue(self) -> None:
        text = (
            "- list: l\n  items: [a]\n- macro: m\n  condition: cloud.in_macro in (l)\n- macro: unused\n  condition: cloud.unused exists\n"
        )
        text += rule(
            "Cloud", "m and cloud.left[1] = val(cloud.right) and tolower(cloud.inner) = x", source="cloud",
            output="'%5cloud.name[2] %toupper(cloud.upper) %nothing % %join(\\\",\\\", (cloud.a, cloud.b))'".replace("\\", ""),
            exceptions="[{name: e, fields: [cloud.excepted], values: [[x]]}]",
        )  # fmt: skip
        (found,) = loaded(text).skipped
        assert (found.name, found.source, found.file, found.line) == ("Cloud", "cloud", "1.yaml", 7)
        assert {name.removeprefix("cloud.") for name in found.fields} == {
            "in_macro", "left", "right", "inner", "name", "upper", "a", "b", "excepted",
        }  # fmt: skip

    @pytest.mark.parametrize(
        "wrong",
        [
            "fields: cloud.b, comps: [], values: [x]",
            "fields: [cloud.b], values: [[]]",
            "fields: [], values: [x]",
            "fields: cloud.b, values: [[]]",
            "fields: [cloud.b], comps: [=, =], values: [[x]]",
        ],
    )
    def test_an_exception_that_makes_no_sense_is_left_out_too(self, wrong: str) -> None:
        text = rule("Cloud", "cloud.a = 1", source="cloud", output="'%cloud.name'", exceptions=f"[{{name: e, {wrong}}}]")
        (found,) = loaded(text).skipped
        assert found.fields == {"cloud.a", "cloud.name"}

    def test_a_file_of_such_rules_only_says_nothing_else(self) -> None:
        text = "- macro: broken\n  condition: a b\n- list: unused\n  items: []\n- macro: late\n  condition: no_such\n"
        text += "- required_plugin_versions: [{name: cloud, version: 1.0.0}]\n" + CLOUD + "- rule: Cloud\n  enabled: false\n"
        found = loaded(rule(), text, plugins={})
        assert [each.code for each in found.warnings] == ["LOAD_UNKNOWN_SOURCE", "LOAD_DEPRECATED_ITEM"]
        assert found.required_plugins == ()

    def test_what_is_wrong_with_its_macros_is_said_once_another_rule_uses_them(self) -> None:
        text = "- macro: broken\n  condition: a b\n- macro: m\n  condition: broken\n" + CLOUD
        assert error(text, rule(condition="m")).startswith("LOAD_ERR_COMPILE_CONDITION 1.yaml:2:16")
        fine = "- list: l\n  items: [x]\n- macro: m\n  condition: proc.name in (l)\n" + CLOUD
        assert condition_of(fine, rule(condition="evt.type = open and m")) == "(evt.type = open and proc.name in (x))"

    def test_another_rule_in_the_file_makes_it_an_ordinary_one(self) -> None:
        assert "LOAD_UNUSED_LIST" in codes("- list: unused\n  items: []\n" + CLOUD + rule())
        assert error("- macro: broken\n  condition: a b\n" + CLOUD + rule()).startswith("LOAD_ERR_COMPILE_CONDITION 1.yaml:2:16")

    def test_changes_of_such_rules_are_taken(self) -> None:
        more = "- rule: Cloud\n  condition: and cloud.more exists\n  append: true\n"
        (found,) = loaded(CLOUD, more).skipped
        assert found.fields == {"cloud.verb", "cloud.name", "cloud.more"}
        assert "different source" in error(CLOUD, "- rule: Cloud\n  source: syscall\n  condition: and x\n  append: true\n")

    def test_structure_is_looked_at_all_the_same(self) -> None:
        assert "Item has no mapping for key 'priority'" in error(CLOUD.replace("  priority: INFO\n", ""))


SKIP = {"skip_if_unknown_filter": "true"}


class TestSkipIfUnknownFilter:
    def test_unknown_names_leave_the_rule_out(self) -> None:
        for text in (
            rule(condition="evt.type = open and proc.nme = x", **SKIP),
            rule(condition="evt.type = opne", **SKIP),
            rule(condition="evt.type = open and tolower(proc.nme) = x", **SKIP),
            rule(output="'%proc.nme'", **SKIP),
            rule(exceptions="[{name: e, fields: proc.nme, values: [a]}]", **SKIP),
        ):
            found = loaded(text)
            assert found.rules == ()
            (warning,) = found.warnings
            assert warning.code == "LOAD_UNKNOWN_FILTER"
            assert "left out, because it names what does not exist here: " in warning.message

    def test_other_errors_stay_errors(self) -> None:
        assert error(rule(condition="evt.type = open and evt.num = x", **SKIP)).startswith("LOAD_ERR_COMPILE_CONDITION")
        assert error(rule(condition="evt.type = open and", **SKIP)).startswith("LOAD_ERR_COMPILE_CONDITION")
        assert error(rule(condition="evt.type = open and no_such", **SKIP)).startswith("LOAD_ERR_VALIDATE")

    def test_a_macro_is_an_error_for_other_rules_only(self) -> None:
        macro = "- macro: m\n  condition: evt.type = open and proc.nme = x\n"
        assert codes(macro + rule("A", "m", **SKIP)) == ["LOAD_UNKNOWN_FILTER"]
        for text in (rule("A", "m", **SKIP) + rule("B", "m"), rule("A", "m") + rule("B", "m", **SKIP)):
            assert error(macro + text).startswith("LOAD_ERR_COMPILE_CONDITION 1.yaml:2:")

    def test_no_error_of_a_macro_gets_lost_with_the_rule(self) -> None:
        macro = "- macro: m\n  condition: evt.num = x\n"
        text = rule("A", "m and proc.nme = y", **SKIP) + rule("B", "m and evt.type = open")
        assert error(macro + text).startswith("LOAD_ERR_COMPILE_CONDITION 1.yaml:2:")

    def test_a_rule_without_unknown_names_stays(self) -> None:
        assert by_name(loaded(rule(**SKIP)))["R"].skip_if_unknown_filter


def test_capture_is_kept() -> None:
    (found,) = loaded(rule(capture="yes", capture_duration="1500")).rules
    assert (found.capture, found.capture_duration) == (True, 1500)
    for value in ("soon", "-1", "1.5", "0x10", "99999999999999999999"):
        assert "Can't decode YAML scalar value (key 'capture_duration'" in error(rule(capture_duration=value))
    assert "Value is not a scalar value (key 'capture')" in error(rule(capture="[yes]"))


def test_lists_and_macros_are_kept() -> None:
    text = "- list: a\n  items: [x]\n- list: b\n  items: [a, y z]\n- macro: m\n  condition: proc.name in (b) and n\n"
    text = "- macro: n\n  condition: evt.num > 1\n" + text + rule(condition="evt.type = open and m")
    found = loaded(text)
    assert [(each.name, each.items, each.expanded, each.lists, each.used) for each in found.lists] == [
        ("a", ("x",), ("x",), (), True),
        ("b", ("a", "y z"), ("x", "y z"), ("a",), True),
    ]
    assert [(each.name, each.condition_text, each.lists, each.macros, each.used) for each in found.macros] == [
        ("n", "evt.num > 1", (), (), True),
        ("m", "proc.name in (b) and n", ("b",), ("n",), True),
    ]
    assert (found.rules[0].macros, found.rules[0].lists) == (("m",), ())
    assert not loaded("- macro: m\n  condition: evt.num > 1\n").macros[0].used


def test_errors_are_said_once_whatever_is_compiled_again() -> None:
    bad = rule(condition="evt.type = open and proc.name = l and evt.num = x")
    assert len(errors(bad, "- list: l\n  items: [a]\n", "- list: l\n  items: [b]\n")) == 1
