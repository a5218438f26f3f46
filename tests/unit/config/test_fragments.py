"""Files that go on with the main one."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel import ConfigError
from tiercel.config.document import Document
from tiercel.config.files import Files
from tiercel.config.fragments import merged
from tiercel.config.load import ConfigText, load, read
from tiercel.config.validate import validate

MAIN = """\
priority: notice
rules_files: [a.yaml]
outputs:
  stdout: {format: text}
  mail:
    to: [x]
grants:
  log: {path: /log, mode: append}
"""


def merge(*fragments: str) -> Document:
    return merged(MAIN, "/etc/t/main.yaml", [(f"/etc/t/config.d/{n}.yaml", text) for n, text in enumerate(fragments)])


def problems(*fragments: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        merge(*fragments)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("fragment", "path", "expected"),
    [
        ("", ("priority",), "notice"),
        ("priority: debug", ("priority",), "debug"),
        ("priority:", ("priority",), "notice"),
        ("rules_files: [b.yaml, c.yaml]", ("rules_files",), ["a.yaml", "b.yaml", "c.yaml"]),
        ("rules_files: !replace [b.yaml]", ("rules_files",), ["b.yaml"]),
        ("rules_files: text", ("rules_files",), "text"),
        ("outputs: {file: {grant: log}}", ("outputs", "mail"), {"to": ["x"]}),
        ("outputs: {file: {grant: log}}", ("outputs", "file"), {"grant": "log"}),
        ("outputs: {mail: {port: 1, to: [y]}}", ("outputs", "mail"), {"to": ["x", "y"], "port": 1}),
        ("outputs: {mail: {to: !replace [y]}}", ("outputs", "mail"), {"to": ["y"]}),
        ("outputs: {mail: !replace {to: [y]}}", ("outputs", "mail"), {"to": ["y"]}),
        ("outputs: !replace {mail: {to: [y]}}", ("outputs",), {"mail": {"to": ["y"]}}),
        ("outputs: {mail: }", ("outputs", "mail"), {"to": ["x"]}),
        ("outputs: {mail: 3}", ("outputs", "mail"), 3),
        ("grants: {key: {path: /k, mode: read}}", ("grants",), {"log": {"path": "/log", "mode": "append"}, "key": {"path": "/k", "mode": "read"}}),
    ],
)  # fmt: skip
def test_merging(fragment: str, path: tuple[str, ...], expected: Any) -> None:
    found: Any = merge(fragment).value
    for step in path:
        found = found[step]
    assert found == expected


def test_later_ones_win() -> None:
    assert merge("priority: debug\nrules_files: [b]", "priority: error\nrules_files: [c]").value["priority"] == "error"


def test_every_value_knows_its_file() -> None:
    document = merge("\nrules_files: [b.yaml]\noutputs: {mail: {port: 1}, stdout: !replace {}}")
    assert document.origin(("rules_files", 0))[:2] == ("/etc/t/main.yaml", 2)
    assert document.origin(("rules_files", 1))[:3] == ("/etc/t/config.d/0.yaml", 2, 15)
    assert document.origin(("outputs", "mail", "port"), at_key=True)[:3] == ("/etc/t/config.d/0.yaml", 3, 18)
    assert document.origin(("outputs", "mail", "to"))[:2] == ("/etc/t/main.yaml", 6)
    assert document.origin(("outputs", "stdout"))[:2] == ("/etc/t/config.d/0.yaml", 3)
    assert ("outputs", "stdout", "format") not in document.values


def test_grants_are_never_replaced() -> None:
    assert problems("grants: {log: {path: /etc/shadow, mode: read}}") == [
        "/etc/t/config.d/0.yaml:1:10: grants.log: granted already in /etc/t/main.yaml:8:3; use another name"
    ]
    assert problems("grants: !replace {}") == ["/etc/t/config.d/0.yaml:1:1: grants: !replace is not for grants"]
    assert problems("!replace {grants: {}}") == ["/etc/t/config.d/0.yaml:1:1: !replace is not for the whole file"]


def test_all_files_are_read_before_the_first_problem_is_reported() -> None:
    assert [line.partition(": ")[0] for line in problems("a: [", "a: 1\na: 2")] == [
        "/etc/t/config.d/0.yaml:2:1",
        "/etc/t/config.d/1.yaml:2:1",
    ]


def test_problems_name_the_fragment(installed: list[Distribution]) -> None:
    text = "outputs: {stdout: {}}"
    fragment = ("/etc/t/config.d/a.yaml", "outputs:\n  stdout: {fromat: plain}\n  mail: {}")
    with pytest.raises(ConfigError) as caught:
        load(text, "/etc/t/main.yaml", [fragment], validate=validate, distributions=installed)
    first, second = str(caught.value).splitlines()
    assert first.startswith('/etc/t/config.d/a.yaml:2:12: outputs.stdout.fromat: unknown option "fromat" (did you mean "format"?)')
    assert second.startswith('/etc/t/config.d/a.yaml:3:3: outputs.mail: missing option "to"')


def test_rule_files_are_relative_to_the_file_that_names_them(installed: list[Distribution]) -> None:
    fragments = [("/etc/t/config.d/a.yaml", "rules_files: [b.yaml, bundle:lab]")]
    config, _ = load("rules_files: [a.yaml]", "/etc/t/main.yaml", fragments, validate=validate, distributions=installed)
    assert config.rules_files == ("/etc/t/a.yaml", "/etc/t/config.d/b.yaml", "bundle:lab")


class TestRead:
    def test_by_name_without_hidden_ones(self, tmp_path: Path) -> None:
        (tmp_path / "t.yaml").write_text("main")
        directory = tmp_path / "config.d"
        (directory / "sub.yaml").mkdir(parents=True)
        for name in ("b.yaml", "a.yml", ".c.yaml", "d.txt", "e.yaml~"):
            (directory / name).write_text(name)
        expected = ConfigText(
            "main", str(tmp_path / "t.yaml"), ((str(directory / "a.yml"), "a.yml"), (str(directory / "b.yaml"), "b.yaml"))
        )
        assert read(tmp_path / "t.yaml", files=Files()) == expected

    def test_beside_the_default_file_that_there_is_not(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tiercel.config.load.DEFAULT_FILE", tmp_path / "default.yaml")
        (tmp_path / "config.d").mkdir()
        (tmp_path / "config.d/a.yaml").write_text("a")
        assert read(None, files=Files()) == ConfigText("", "", ((str(tmp_path / "config.d/a.yaml"), "a"),))

    def test_all_that_cannot_be_read_are_named(self, tmp_path: Path) -> None:
        (tmp_path / "config.d").mkdir()
        (tmp_path / "config.d/a.yaml").write_bytes(b"\xff")
        (tmp_path / "config.d/b.yaml").write_text("# " + "x" * 1_000_000)
        with pytest.raises(ConfigError) as caught:
            read(tmp_path / "missing.yaml", files=Files())
        assert [problem.message for problem in caught.value.diagnostics] == [
            "cannot be read: No such file or directory",
            "cannot be read: it is not UTF-8",
            "cannot be read: too large (expected at most 1,000,000 characters)",
        ]


NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    st.none() | st.integers(0, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


def paths(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield at
    for step, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(each, (*at, step))


def plain(base: Any, new: Any) -> Any:
    """The rule of merging, said again."""
    if isinstance(base, dict) and isinstance(new, dict):
        return {key: plain(base.get(key), new.get(key)) for key in [*base, *(key for key in new if key not in base)]}
    if isinstance(base, list) and isinstance(new, list):
        return base + new
    return base if new is None else new


@given(documents=st.lists(st.dictionaries(NAMES, VALUES, max_size=3), min_size=1, max_size=3))
def test_each_value_has_a_place_and_nothing_else_has(documents: list[dict[str, Any]]) -> None:
    import json

    main, *others = [json.dumps(each) for each in documents]
    document = merged(main, "0", [(str(n), text) for n, text in enumerate(others, 1)])
    expected: Any = documents[0]
    for each in documents[1:]:
        expected = plain(expected, each)
    assert document.value == expected
    assert set(document.values) | {()} == set(paths(expected)) | {()}
