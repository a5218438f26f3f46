"""Options of the command line over the configuration."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel import ConfigError
from tiercel.config.document import parse
from tiercel.config.overrides import overridden

TEXT = """\
priority: notice
rules:
  - disable: {rule: a}
  - enable: {tag: b}
outputs:
  stdout:
  file/alerts: {grant: x}
"""


def value(*options: str, text: str = TEXT) -> Any:
    return overridden(parse(text, "t.yaml"), options).value


def problem(*options: str) -> str:
    with pytest.raises(ConfigError) as caught:
        value(*options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("option", "path", "expected"),
    [
        ("priority=debug", ["priority"], "debug"),
        ("priority=", ["priority"], None),
        ("new.deep.key=1", ["new", "deep", "key"], 1),
        ("outputs.stdout.format=json", ["outputs", "stdout", "format"], "json"),
        ("outputs.file/alerts.grant=y", ["outputs", "file/alerts", "grant"], "y"),
        ("rules[0].disable.rule=z", ["rules", 0, "disable", "rule"], "z"),
        ("rules[].disable.rule=Terminal*", ["rules", 2, "disable", "rule"], "Terminal*"),
        ('rules[]={disable: {rule: "*"}}', ["rules", 2], {"disable": {"rule": "*"}}),
        ("rules[2].enable.tag=c", ["rules", 2], {"enable": {"tag": "c"}}),
        ("fresh[][]=1", ["fresh"], [[1]]),
        (r"a\.b\[0\]\=\\c=5", [r"a.b[0]=\c"], 5),
        ("a=b=c", ["a"], "b=c"),
        ("a=*", ["a"], "*"),
        ("a=[1, {b: 2}]", ["a"], [1, {"b": 2}]),
    ],
)
def test_values(option: str, path: list[Any], expected: Any) -> None:
    found = value(option)
    for step in path:
        found = found[step]
    assert found == expected
    assert value()["rules"] == [{"disable": {"rule": "a"}}, {"enable": {"tag": "b"}}]  # nothing is changed in place


def test_they_apply_in_order_and_to_no_file() -> None:
    assert value("a[]=1", "a[]=2", "a[0]=3", text="") == {"a": [3, 2]}


def test_all_that_are_wrong_are_named() -> None:
    lines = problem(
        "priority", "=x", "a..b=1", "rules.name=1", "rules[5]=1", "priority[0]=1", "outputs[]=1", "a=[", "grants.x.path=/x", "a=1"
    ).splitlines()
    assert len(lines) == 9
    assert all(line.startswith("<command line>: -o ") for line in lines)
    assert lines[0].endswith("bad key at character 9 (expected =, a dot, [n] or [], as in KEY=VALUE)")
    assert "the list has 2" in lines[4]
    assert "root reads grants from the configuration file only" in lines[8]


def test_diagnostics_name_the_option() -> None:
    document = overridden(parse(TEXT, "t.yaml"), ["rules[].disable.rule=x"])
    assert str(document.problem(("rules", 2, "disable", "rule"), "wrong")) == (
        "<command line>: -o rules[].disable.rule: rules[2].disable.rule: wrong"
    )
    assert str(document.problem(("rules", 0), "wrong")) == "t.yaml:3:5: rules[0]: wrong"


def test_the_depth_is_bounded() -> None:
    assert "key too long" in problem("a." * 30 + "a=1")
    assert "key too long" in problem("a" + "[]" * 30 + "=1")


@given(options=st.lists(st.text(st.sampled_from("ab.[]=\\0{}: ,*&!\n"), max_size=12), max_size=3))
def test_anything_is_applied_or_refused(options: list[str]) -> None:
    try:
        value(*options)
    except ConfigError as error:
        assert error.diagnostics
