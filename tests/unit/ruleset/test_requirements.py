from __future__ import annotations

import pytest

from tests.unit.ruleset.made import error, errors, loaded, rule
from tiercel.ruleset.requirements import Version, parse_version


@pytest.mark.parametrize(
    ("version", "required", "fine"),
    [("1.2.3", "1.2.3", True), ("1.3.0", "1.2.3", True), ("1.2.2", "1.2.3", False), ("2.0.0", "1.0.0", False), ("0.9.0", "1.0.0", False)],
)
def test_versions(version: str, required: str, *, fine: bool) -> None:
    one, other = parse_version(version), parse_version(required)
    assert one is not None
    assert other is not None
    assert one.satisfies(other) is fine
    assert str(one) == version


@pytest.mark.parametrize("text", ["", "1", "1.2", "1.2.3.4", "a.b.c", "1.2.3-rc1", "-1.0.0"])
def test_what_is_no_version(text: str) -> None:
    assert parse_version(text) is None


def test_the_highest_engine_version_is_kept() -> None:
    found = loaded("- required_engine_version: 0.31.0\n- required_engine_version: 57\n", "- required_engine_version: 2\n")
    assert found.required_engine_version == Version(0, 57, 0)
    assert loaded(rule()).required_engine_version is None


PLUGINS = """
- required_plugin_versions:
  - name: a
    version: 0.2.0
    alternatives: [{name: b, version: 1.0.0}, {name: c, version: 1.0.0}]
  - {name: d, version: 2.1.0}
"""


@pytest.mark.parametrize(
    ("plugins", "missing"),
    [
        ({"a": "0.2.0", "d": "2.1.0"}, []),
        ({"c": "1.4.0", "d": "2.9.0"}, []),
        ({"a": "0.1.9", "d": "2.1.0"}, [(3, 5)]),
        ({"a": "1.2.0", "d": "3.0.0"}, [(3, 5), (6, 5)]),
        ({}, [(3, 5), (6, 5)]),
    ],
)
def test_plugins(plugins: dict[str, str], missing: list[tuple[int, int]]) -> None:
    if not missing:
        assert len(loaded(PLUGINS, plugins=plugins).required_plugins) == 2
        return
    found = errors(PLUGINS, plugins=plugins)
    assert [(each.line, each.column) for each in found] == missing
    assert {each.code for each in found} == {"LOAD_ERR_VALIDATE"}


def test_the_message_names_the_requirement_and_what_is_there() -> None:
    assert (
        "Plugin requirement not satisfied, must load one of: a 0.2.0 or b 1.0.0 or c 1.0.0 (got b 0.9.0)"
        in error(PLUGINS, plugins={"b": "0.9.0", "d": "2.1.0"})
    )  # fmt: skip


def test_unchecked_requirements_are_kept() -> None:
    assert [str(choice) for each in loaded(PLUGINS).required_plugins for choice in each.choices] == [
        "a 0.2.0",
        "b 1.0.0",
        "c 1.0.0",
        "d 2.1.0",
    ]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("x", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:29: Value is not a sequence (key 'required_plugin_versions')"),
        ("[x]", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:30: Plugin version must be a mapping"),
        ("[{name: a}]", "LOAD_ERR_YAML_VALIDATE 1.yaml:1:30: Item has no mapping for key 'version'"),
        ("[{name: a, version: 1}]", "LOAD_ERR_VALIDATE 1.yaml:1:49: Invalid version '1' of plugin 'a' (expected x.y.z)"),
        (
            "[{name: a, version: 1.0.0, alternatives: x}]",
            "LOAD_ERR_YAML_VALIDATE 1.yaml:1:70: Value is not a sequence (key 'alternatives')",
        ),
        (
            "[{name: a, version: 1.0.0, alternatives: [{name: a, version: 2.0.0}]}]",
            "LOAD_ERR_VALIDATE 1.yaml:1:78: Defined multiple alternative version requirements for plugin 'a'",
        ),
    ],
)
def test_errors(value: str, message: str) -> None:
    assert message in error(f"- required_plugin_versions: {value}\n")


def test_the_same_plugin_in_two_entries_is_fine() -> None:
    text = "- required_plugin_versions: [{name: a, version: 1.0.0}, {name: a, version: 1.1.0}]\n"
    assert loaded(text, plugins={"a": "1.1.0"}).rules == ()
    assert "a 1.1.0" in error(text, plugins={"a": "1.0.5"})
