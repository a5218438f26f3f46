"""`tiercel config`."""

from __future__ import annotations

import json
import os
import re
from importlib.metadata import Distribution
from pathlib import Path

import pytest
import yaml

from tests.unit import distributions
from tests.unit.cli.conftest import Run
from tiercel.cli.config import write_new
from tiercel.cli.main import main
from tiercel.cli.session import Setting
from tiercel.components.base import Host
from tiercel.config.files import Files
from tiercel.config.load import load
from tiercel.config.validate import validate

CONFIG = """\
sources: {lab: }
priority: notice
rules:
  - disable: {tag: noisy}
outputs:
  stdout/a:
    format: json
"""


class TestShow:
    def test_every_value_and_where_it_is_from(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "c.yaml").write_text(CONFIG)
        (tmp_path / "config.d").mkdir()
        (tmp_path / "config.d/a.yaml").write_text("\npriority: error\nrules: [{enable: {tag: b}}]")
        done = run("config", "show", "-c", "c.yaml", "-o", "rule_matching=all")
        assert (done.code, done.err) == (0, "")
        found = {line.partition("  #")[0].rstrip(): line.partition("  # ")[2] for line in done.out.splitlines()}
        assert found["priority: error"] == f"{Path('config.d/a.yaml')}:2"
        assert found["rule_matching: all"] == "-o rule_matching"
        assert found["  - disable:"] == ""
        assert found["      tag: noisy"] == "c.yaml:4"
        assert found["      tag: b"] == "config.d/a.yaml:3"
        assert found["    format: json"] == "c.yaml:7"
        assert found["append_output: []"] == "default"
        assert found["  lab: {}"] == "c.yaml:1"

    def test_it_is_the_same_configuration_again(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "c.yaml").write_text(CONFIG)
        first = run("config", "show", "-c", "c.yaml").out
        (tmp_path / "d.yaml").write_text(first)
        assert yaml.safe_load(run("config", "show", "-c", "d.yaml").out) == yaml.safe_load(first)

    def test_json(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "c.yaml").write_text(CONFIG)
        found = json.loads(run("config", "show", "-c", "c.yaml", "-o", "outputs.stdout/a.format=text", "--json").out)
        assert found["config"]["outputs"]["stdout/a"]["format"] == "text"
        origins = {tuple(each["path"]): each for each in found["origins"]}
        assert origins["outputs", "stdout/a", "format"] == {
            "path": ["outputs", "stdout/a", "format"], "from": "option", "option": "outputs.stdout/a.format",
        }  # fmt: skip
        assert origins["priority",] == {"path": ["priority"], "from": "file", "file": "c.yaml", "line": 2}
        assert origins["rule_matching",] == {"path": ["rule_matching"], "from": "default"}

    def test_mistakes(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "c.yaml").write_text("priorty: x\nrules: 3")
        done = run("config", "show", "-c", "c.yaml")
        assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 2)

    @pytest.mark.parametrize(
        ("written", "shown"),
        [("hunter2hunter2", "<secret>"), ("plain:hunter2hunter2", "<secret>"), ("env:LAB", "<secret from env:LAB>")],
        ids=["text", "plain", "reference"],
    )
    def test_secrets(self, tmp_path: Path, capsys: pytest.CaptureFixture[str], written: str, shown: str) -> None:
        everything = Setting(distributions=[distributions.tiercel_itself(tmp_path, plugins=True)], files=Files())
        (tmp_path / "c.yaml").write_text(f"outputs: {{http: {{url: 'http://h/', headers: {{A: b}}, bearer_token: '{written}'}}}}")
        for more in ((), ("--json",)):
            assert main(["config", "show", "-c", str(tmp_path / "c.yaml"), *more], setting=everything) == 0
            out = capsys.readouterr().out
            assert shown in out
            assert "hunter2" not in out


class TestInit:
    @pytest.fixture
    def everything(self, tmp_path: Path) -> list[Distribution]:
        return [distributions.tiercel_itself(tmp_path / "dist", plugins=True)]

    def test_it_changes_nothing_and_says_everything(
        self, everything: list[Distribution], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "t.yaml"
        assert main(["config", "init", "--output", str(path)], setting=Setting(distributions=everything, files=Files())) == 0
        assert capsys.readouterr().out.startswith(f"{path}: written")
        text = path.read_text()
        assert all(not line or line.startswith("#") for line in text.splitlines())
        empty, _ = load("", "t.yaml", validate=validate, distributions=everything)
        assert load(text, "t.yaml", validate=validate, distributions=everything)[0] == empty

    def test_it_is_valid_without_the_marks(self, everything: list[Distribution], capsys: pytest.CaptureFixture[str]) -> None:
        main(["config", "init"], setting=Setting(distributions=everything, files=Files()))
        text = capsys.readouterr().out
        lines = [re.sub(r"^#(?! \S)", "", line) for line in text.splitlines()]
        config, host = load("\n".join(lines), "t.yaml", validate=validate, distributions=everything)
        assert set(config.outputs) == {cls.name for cls in host.outputs()}
        assert config.outputs["stdout"] == {"format": "text"}

    def test_a_file_that_exists_stays(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "t.yaml").write_text("priority: debug")
        done = run("config", "init", "--output", "t.yaml")
        assert (done.code, done.err) == (2, "tiercel: t.yaml: exists, and stays as it is; choose another name\n")
        assert (tmp_path / "t.yaml").read_text() == "priority: debug"
        done = run("config", "init", "--output", "missing/t.yaml")
        assert (done.code, done.err) == (2, "tiercel: missing/t.yaml: cannot be written: No such file or directory\n")

    def test_through_the_supervisor(self, tmp_path: Path) -> None:
        class Broker(Host):
            def open_granted(self, grant: str) -> int:
                assert grant == f"append:{tmp_path}/t.yaml"
                return os.open(tmp_path / "x", os.O_WRONLY | os.O_CREAT)

        write_new(tmp_path / "t.yaml", "text", files=Files(Broker()))
        assert (tmp_path / "x").read_text() == "text"


class TestImport:
    FALCO = "priority: error\nfrob: 1\nstdout_output: {enabled: true}\nbuffered_outputs: true\n"

    def test_it_prints_what_it_makes_and_says_what_is_not_the_same(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "falco.yaml").write_text(self.FALCO)
        done = run("config", "import", "falco.yaml")
        assert done.code == 0
        found = yaml.safe_load(done.out)
        assert (found["priority"], found["outputs"]) == ("error", {"stdout": {"format": "text"}})
        assert "falco.yaml:2:1: frob: unknown: not an option of Falco that is known here" in done.err.splitlines()
        assert any(line.startswith("falco.yaml:4:1: buffered_outputs: not needed: ") for line in done.err.splitlines())

    def test_the_file_is_valid_and_new(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "falco.yaml").write_text(self.FALCO + "engine: {kind: nodriver}")
        done = run("config", "import", "falco.yaml", "--output", "t.yaml")
        assert (done.code, done.out) == (0, "t.yaml: written; `tiercel check -c t.yaml` looks at it, and at the rules\n")
        assert run("check", "-c", "t.yaml").code == 0
        assert run("config", "import", "falco.yaml", "--output", "t.yaml").code == 2

    def test_json(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "falco.yaml").write_text(self.FALCO)
        found = json.loads(run("config", "import", "falco.yaml", "--json").out)
        assert found["config"]["priority"] == "error"
        assert {
            "outcome": "unknown", "path": ["frob"], "file": "falco.yaml", "line": 2, "column": 1,
            "message": "not an option of Falco that is known here",
        } in found["notes"]  # fmt: skip

    def test_mistakes(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "falco.yaml").write_text("a: [")
        done = run("config", "import", "falco.yaml")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("falco.yaml:2:1: bad YAML")
