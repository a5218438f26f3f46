"""Exceptions (rule language, section 5)."""

from __future__ import annotations

import pytest

from tests.unit.ruleset.made import by_name, codes, condition_of, error, errors, loaded, rule

BASE = "evt.type = open"


def excepted(*exceptions: str, lists: str = "") -> str:
    return lists + rule(exceptions=f"[{', '.join(exceptions)}]")


@pytest.mark.parametrize(
    ("exception", "condition"),
    [
        ("{name: e, fields: proc.name, values: [a, b c, '']}", 'not proc.name in (a, "b c", "")'),
        ("{name: e, fields: proc.exe, comps: pmatch, values: [/usr, /bin]}", "not proc.exe pmatch (/usr, /bin)"),
        ("{name: e, fields: fd.types, comps: intersects, values: [a]}", "not fd.types intersects (a)"),
        ("{name: e, fields: proc.name, comps: '  startswith   oneof ', values: [a, b]}", "not proc.name startswith oneof (a, b)"),
        ("{name: e, fields: [proc.name, proc.exe], values: [[a, b c]]}", 'not (proc.name = a and proc.exe = "b c")'),
        (
            "{name: e, fields: [proc.name, proc.exe], comps: [contains, in], values: [[a, [b, c d]], [e, f]]}",
            'not ((proc.name contains a and proc.exe in (b, "c d")) or (proc.name contains e and proc.exe in (f)))',
        ),
        ("{name: e, fields: [proc.exe], comps: [in], values: [['(a, b)']]}", "not proc.exe in (a, b)"),
        ("{name: e, fields: [proc.exe], comps: [in], values: [['a, b']]}", "not proc.exe in (a, b)"),
        ("{name: e, fields: [proc.exe], comps: [in], values: [[a b]]}", 'not proc.exe in ("a b")'),
        ("{name: e, fields: [proc.exe], comps: ['endswith anyof'], values: [[[a, b]], [c]]}",
         "not (proc.exe endswith anyof (a, b) or proc.exe endswith anyof (c))"),
        ("{name: e, fields: [evt.res, evt.num], comps: ['>=', <], values: [[3, 5]]}", "not (evt.res >= 3 and evt.num < 5)"),
        ("{name: e, fields: ['tolower( proc.name)'], values: [['toupper(proc.exe)']]}", "not tolower(proc.name) = toupper(proc.exe)"),
        ("{name: e, fields: [proc.aname[2]], values: [[a]]}".replace("[proc.aname[2]]", "['proc.aname[2]']"), "not proc.aname[2] = a"),
        ("{name: e, fields: [proc.name]}", ""),
    ],
)  # fmt: skip
def test_what_is_added(exception: str, condition: str) -> None:
    assert condition_of(excepted(exception)) == (f"({BASE} and {condition})" if condition else BASE)


def test_all_of_them_are_added_in_order_behind_the_whole_condition() -> None:
    one, two = "{name: a, fields: proc.name, values: [x]}", "{name: b, fields: [proc.exe], values: [[y]]}"
    text = rule(condition=f"{BASE} or evt.num > 5", exceptions=f"[{one}, {{name: n, fields: proc.name}}, {two}]")
    assert condition_of(text) == f"(({BASE} or evt.num > 5) and not proc.name in (x) and not proc.exe = y)"


@pytest.mark.parametrize("value", ["shells", "(shells)"])
def test_lists_are_filled_in(value: str) -> None:
    lists = "- list: shells\n  items: [sh, bash]\n"
    found = excepted(f"{{name: e, fields: [proc.exe, proc.name], comps: ['=', in], values: [[x, {value}]]}}", lists=lists)
    assert condition_of(found) == f"({BASE} and not (proc.exe = x and proc.name in (sh, bash)))"
    assert codes(found) == []
    assert condition_of(excepted("{name: e, fields: proc.name, values: [shells, x]}", lists=lists)) == (
        f"({BASE} and not proc.name in (sh, bash, x))"
    )


VALIDATE = "LOAD_ERR_VALIDATE"
YAML = "LOAD_ERR_YAML_VALIDATE"


@pytest.mark.parametrize(
    ("exceptions", "code", "message"),
    [
        ("x", YAML, '1.yaml:6:15: rule "R": Rule exceptions must be a sequence'),
        ("[x]", YAML, '1.yaml:6:16: rule "R": Rule exception must be a mapping'),
        ("[{fields: [proc.name]}]", YAML, "1.yaml:6:16: rule \"R\": Item has no mapping for key 'name'"),
        ("[{name: e}]", YAML, "exception \"e\": Item has no mapping for key 'fields'"),
        ("[{name: e, feilds: [proc.name]}]", YAML, "key 'fields' (is it \"feilds\"?)"),
        ("[{name: e, fields: [[proc.name]]}]", YAML, "Value is not a scalar value (key 'fields')"),
        ("[{name: e, fields: []  , comps: [~]}]", YAML, "Value must be non-empty (key 'comps')"),
        ("[{name: e, fields: proc.name, values: x}]", YAML, '1.yaml:6:53: rule "R": exception "e": Rule exception values must be a seq'),
        ("[{name: e, fields: proc.name, values: [{a: b}]}]", YAML, "Value is not a scalar value (key 'values')"),
        ("[{name: e, fields: [proc.name], comps: [in, in]}]", VALIDATE, "Fields and comps lists must have equal length"),
        ("[{name: e, fields: [proc.name], comps: in}]", VALIDATE, "Fields and comps lists must have equal length"),
        ("[{name: e, fields: [proc.name], comps: [lke]}]", VALIDATE, "1.yaml:6:55: rule \"R\": exception \"e\": 'lke' is not a supported comparison operator"),
        ("[{name: e, fields: [proc.name], comps: [in oneof]}]", VALIDATE, "'in oneof' is not a supported comparison operator"),
        ("[{name: e, fields: [evt.num], comps: ['>= oneof']}]", VALIDATE, "'>= oneof' is not a supported comparison operator"),
        ("[{name: e, fields: [proc.name], comps: [oneof]}]", VALIDATE, "'oneof' is not a supported comparison operator"),
        ("[{name: e, fields: proc.name, comps: oneof}]", VALIDATE, "'oneof' is not a supported comparison operator"),
        ("[{name: e, fields: proc.name, comps: [in]}]", VALIDATE, "Fields and comps must both be strings"),
        ("[{name: e, fields: proc.name, comps: contains}]", VALIDATE, "When fields is a single value, comps must be one of (in, pmatch, "),
        ("[{name: e, fields: [proc.nme]}]", VALIDATE, "1.yaml:6:35: rule \"R\": exception \"e\": 'proc.nme' is not a supported filter field"),
        ("[{name: e, fields: ['tolower(evt.num)']}]", VALIDATE, "'tolower(evt.num)' is not a supported filter field (tolower: wrong type"),
        ("[{name: e, fields: ['proc.name = a or proc.name']}]", VALIDATE, "(expected a field or a transformer)"),
        ("[{name: e, fields: [proc.name], values: [[a, b]]}]", VALIDATE, '1.yaml:6:56: rule "R": exception "e": Fields and values lists must have equal'),
        ("[{name: e, fields: [proc.name], values: [a]}]", VALIDATE, "Fields and values lists must have equal length"),
        ("[{name: e, fields: proc.name, values: [[a]]}]", VALIDATE, "Expected values array to contain a list of strings"),
        ("[{name: e, fields: [proc.name], comps: [in], values: [[[[a]]]]}]", VALIDATE, "Expected values array to contain a list of strings"),
    ],
)  # fmt: skip
def test_errors(exceptions: str, code: str, message: str) -> None:
    found = errors(rule(exceptions=exceptions))
    assert found[0].code == code
    assert message in str(found[0])


def test_what_does_not_compile_is_led_back_to_the_value() -> None:
    text = "- list: l\n  items: [x, 1]\n" + rule(exceptions="[{name: e, fields: [proc.name, fd.sport], values: [[a, 80], [b, htp]]}]")
    assert error(text).startswith('LOAD_ERR_COMPILE_CONDITION 1.yaml:8:79: rule "R": condition: fd.sport: bad port')
    text = rule(exceptions="[{name: e, fields: [evt.num], comps: [in], values: [[l]]}]")
    assert error("- list: l\n  items: [1, x]\n" + text).startswith("LOAD_ERR_COMPILE_CONDITION 1.yaml:8:68: ")
    assert error(rule(condition="evt.type = opn", exceptions="[{name: e, fields: proc.name, values: [a]}]")).startswith(
        "LOAD_ERR_COMPILE_CONDITION 1.yaml:3:25: "
    )
    assert "unexpected token after 'open'" in error(
        rule(condition="evt.type = open bar", exceptions="[{name: e, fields: proc.name, values: [a]}]")
    )


def test_warnings() -> None:
    twice = excepted("{name: e, fields: proc.name, values: [a]}", "{name: e, fields: proc.exe, values: [b]}")
    assert condition_of(twice) == f"({BASE} and not proc.name in (a) and not proc.exe in (b))"
    assert codes(twice) == ["LOAD_EXCEPTION_NAME_NOT_UNIQUE"]
    assert codes(excepted("{name: e, fields: proc.name, value: [a]}")) == ["LOAD_UNKNOWN_KEY"]


def test_the_model_has_them() -> None:
    text = excepted(
        "{name: a, fields: proc.name, values: [x, y z]}", "{name: b, fields: [proc.exe, evt.num], comps: [in, '='], values: [[[p, q], 1]]}"
    )  # fmt: skip
    one, two = by_name(loaded(text))["R"].exceptions
    assert (one.name, one.fields, one.operators, one.values) == ("a", ("proc.name",), ("in",), (("x",), ('"y z"',)))
    assert one.condition == '(proc.name in (x, "y z"))'
    assert (two.fields, two.operators, two.values) == (("proc.exe", "evt.num"), ("in", "="), (("(p, q)", "1"),))
    assert two.condition == "((proc.exe in (p, q) and evt.num = 1))"
    assert (one.file, one.line) == ("1.yaml", 6)


HAS = rule(exceptions="[{name: e, fields: proc.name, values: [a]}]")


@pytest.mark.parametrize("how", ["append: true", "override: {exceptions: append}"])
class TestAppending:
    def appended(self, how: str, exception: str) -> str:
        return HAS + f"- rule: R\n  exceptions: [{exception}]\n  {how}\n"

    def test_values_of_one_that_exists(self, how: str) -> None:
        assert condition_of(self.appended(how, "{name: e, values: [b]}")) == f"({BASE} and not proc.name in (a, b))"

    def test_a_new_one(self, how: str) -> None:
        text = self.appended(how, "{name: f, fields: [proc.exe], comps: [contains], values: [[x]]}")
        assert condition_of(text) == f"({BASE} and not proc.name in (a) and not proc.exe contains x)"

    def test_no_values(self, how: str) -> None:
        text = self.appended(how, "{name: e}")
        assert condition_of(text) == f"({BASE} and not proc.name in (a))"
        assert "LOAD_APPEND_NO_VALUES" in codes(text)

    @pytest.mark.parametrize(
        ("exception", "message"),
        [
            ("{name: e, fields: proc.name, values: [b]}", "Can not append exception fields to existing exception, only values"),
            ("{name: e, comps: in, values: [b]}", "Can not append exception comps to existing exception, only values"),
            ("{name: f, values: [b]}", "Rule exception must have fields property with a list of fields"),
            ("{name: f, fields: proc.name}", "Rule exception must have values property with a list of values"),
        ],
    )
    def test_errors(self, how: str, exception: str, message: str) -> None:
        found = error(self.appended(how, exception))
        assert found.startswith("LOAD_ERR_VALIDATE 1.yaml:8:")
        assert message in found


def test_replacing() -> None:
    replaced = HAS + "- rule: R\n  exceptions: [{name: f, fields: proc.exe, values: [b]}]\n  override: {exceptions: replace}\n"
    assert condition_of(replaced) == f"({BASE} and not proc.exe in (b))"
    partial = HAS + "- rule: R\n  exceptions: [{name: e, values: [b]}]\n  override: {exceptions: replace}\n"
    assert "Item has no mapping for key 'fields'" in error(partial)


def test_exceptions_of_several_files_keep_their_places() -> None:
    second = "- rule: R\n  exceptions: [{name: e, values: [b, 'c(']}]\n  override: {exceptions: append}\n"
    assert "LOAD_ERR_COMPILE_CONDITION 2.yaml:2:" in error(HAS, second)
