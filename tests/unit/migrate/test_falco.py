"""Reading falco.yaml."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tiercel.config.files import Files
from tiercel.errors import ConfigError
from tiercel.migrate.falco import Falco, Outcome, read

Make = Callable[..., Falco]


@pytest.fixture
def falco(tmp_path: Path) -> Make:
    def make(text: str, environment: dict[str, str] | None = None, **others: str) -> Falco:
        (tmp_path / "config.d").mkdir(exist_ok=True)
        for name, content in others.items():
            (tmp_path / "config.d" / f"{name}.yaml").write_text(content)
        (tmp_path / "falco.yaml").write_text(text)
        return read(tmp_path / "falco.yaml", files=Files(), environment=environment or {})

    return make


def said(falco: Falco, tmp_path: Path) -> list[str]:
    return [str(note).replace(f"{tmp_path}/", "") for note in falco.notes()]


class TestRead:
    def test_files_are_merged_as_falco_does(self, falco: Make, tmp_path: Path) -> None:
        text = "config_files: [config.d]\nlist: [1]\nmap: {a: 1}\nold: x"
        found = falco(text, b="list: [3]\nmap: {b: 2}", a="list: [2]\nnew: y")
        assert [found.get(key) for key in ("list", "map", "old", "new")] == [[1, 2, 3], {"b": 2}, "x", "y"]
        found.note(Outcome.LOST, ("list", 2), "x")
        found.note(Outcome.LOST, ("map", "b"), "y")
        assert said(found, tmp_path) == ["config.d/b.yaml:1:8: list[2]: no counterpart: x", "config.d/b.yaml:2:7: map.b: no counterpart: y"]

    @pytest.mark.parametrize(
        ("strategy", "expected"), [("append", [[1, 2], "y"]), ("override", [[2], "y"]), ("add-only", [[1], "y"])]
    )  # fmt: skip
    def test_strategies(self, falco: Make, strategy: str, expected: list[object]) -> None:
        text = f"config_files: [{{path: config.d, strategy: {strategy}}}]\nlist: [1]"
        found = falco(text, a="list: [2]\nnew: y")
        assert [found.get("list"), found.get("new")] == expected

    def test_files_that_are_missing_or_wrongly_named(self, falco: Make, tmp_path: Path) -> None:
        found = falco("config_files: [gone.yaml, {path: config.d, strategy: frob}, 3]")
        assert said(found, tmp_path) == [
            "falco.yaml:1:16: config_files[0]: unknown: gone.yaml cannot be read: No such file or directory",
            "falco.yaml:1:27: config_files[1]: unknown: expected a path, or path and strategy, one of append, override, add-only",
            "falco.yaml:1:61: config_files[2]: unknown: expected a path, or path and strategy, one of append, override, add-only",
        ]

    def test_all_that_is_no_yaml_at_once(self, falco: Make) -> None:
        with pytest.raises(ConfigError) as caught:
            falco("config_files: [config.d]", a="a: [", b="b: }")
        assert [Path(problem.file).name for problem in caught.value.diagnostics] == ["a.yaml", "b.yaml"]

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"gone\.yaml: cannot be read: No such file"):
            read(tmp_path / "gone.yaml", files=Files(), environment={})


class TestValues:
    def test_variables(self, falco: Make, tmp_path: Path) -> None:
        found = falco("a: x${HERE}y\nb: ['${GONE}', '$${HERE}']\nc: ${HERE}", {"HERE": "5"})
        assert (found.get("a"), found.get("b"), found.number("c", default=0)) == ("x5y", ["", "${HERE}"], 5)
        assert said(found, tmp_path) == [
            "falco.yaml:1:1: a: differs: variable HERE: our file has none but in secrets: its value is written here as it is now",
            "falco.yaml:2:5: b[0]: differs: variable GONE: our file has none but in secrets: it is not set here, and taken as empty",
            "falco.yaml:3:1: c: differs: variable HERE: our file has none but in secrets: its value is written here as it is now",
        ]

    def test_secrets_stay_variables(self, falco: Make) -> None:
        found = falco("a: ${HERE}\nb: x${HERE}", {"HERE": "5"})
        assert (found.secret("a"), found.secret("b")) == ("env:HERE", "x5")

    def test_types(self, falco: Make, tmp_path: Path) -> None:
        found = falco("a: 'true'\nb: [x]\nc: {}\nd: 12\ne: maybe\nf: true\ng: x")
        assert found.truth("a")
        assert (found.text("b", default="z"), found.entries("c"), found.text("d")) == ("z", [], "12")
        assert (found.truth("e", default=True), found.number("f", default=3), found.entries("g")) == (True, 3, ["x"])
        assert found.section("b") == []
        assert said(found, tmp_path) == [
            "falco.yaml:2:1: b: unknown: expected a mapping (got a list)",
            "falco.yaml:2:1: b: unknown: expected text (got a list); Falco's default is used",
            "falco.yaml:3:1: c: unknown: expected a list (got a mapping); Falco's default is used",
            "falco.yaml:5:1: e: unknown: expected true or false (got text); Falco's default is used",
            "falco.yaml:6:1: f: unknown: expected a number (got true or false); Falco's default is used",
        ]

    def test_what_nobody_asked_for_is_unknown(self, falco: Make, tmp_path: Path) -> None:
        found = falco("known: 1\nknwn: 2\npart: {seen: 1, unseen: {a: 1}}\nempty:\nnoted: {a: 1}")
        found.get("known")
        found.get("part", "seen")
        found.note(Outcome.NEEDLESS, ("noted",), "x")
        assert said(found, tmp_path) == [
            'falco.yaml:2:1: knwn: unknown: not an option of Falco that is known here (did you mean "known"?)',
            "falco.yaml:3:17: part.unseen: unknown: not an option of Falco that is known here",
            "falco.yaml:5:1: noted: not needed: x",
        ]

    def test_notes_are_one_line(self, falco: Make) -> None:
        found = falco('"a\\nb": 1')
        assert str(found.notes()[0]).count("\n") == 0
