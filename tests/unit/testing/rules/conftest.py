"""Test files over the plugins of this checkout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit import distributions
from tiercel.config.files import Files
from tiercel.errors import ConfigError
from tiercel.plugins import PluginHost
from tiercel.testing.rules.bench import Bench, Suite
from tiercel.testing.rules.run import Outcome, run

RULES = """\
- list: readers
  items: [cat, tac]
- macro: opened
  condition: evt.type in (open, openat) and fd.num >= 0
- rule: Shadow read
  desc: d
  condition: opened and fd.name = /etc/shadow and not proc.name in (readers)
  output: "%proc.name read %fd.name (uid=%user.uid)"
  priority: WARNING
  tags: [b, a]
- rule: Anything in etc
  desc: d
  condition: opened and fd.name startswith /etc/
  output: "%fd.name"
  priority: INFO
- rule: Off
  desc: d
  condition: evt.type = connect
  output: o
  priority: INFO
  enabled: false
"""


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> PluginHost:
    own = distributions.tiercel_itself(tmp_path_factory.mktemp("own"), plugins=True)
    made = PluginHost(distributions=[own])
    made.load()
    return made


@pytest.fixture
def suite(host: PluginHost, tmp_path: Path) -> Callable[[str], Suite]:
    """Loads the text of a test file that stands beside `RULES`."""

    def load(text: str, rules: str = RULES) -> Suite:
        (tmp_path / "r.yaml").write_text(rules)
        (tmp_path / "r.test.yaml").write_text(text)
        return Bench(host, files=Files()).load([tmp_path / "r.test.yaml"])[0]

    return load


@pytest.fixture
def outcomes(suite: Callable[[str], Suite]) -> Callable[[str], list[Outcome]]:
    """Runs the text of a test file."""

    def call(text: str) -> list[Outcome]:
        made = suite(text)
        return [run(made, test) for test in made.file.tests]

    return call


@pytest.fixture
def problems(suite: Callable[[str], Suite], tmp_path: Path) -> Callable[[str], list[str]]:
    """What is wrong with the text of a test file: ``line:column: message``."""

    def call(text: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            suite(text)
        assert {each.code for each in caught.value.diagnostics} == {"RULE_TEST"}
        return [str(each).removeprefix(f"{tmp_path}/r.test.yaml:") for each in caught.value.diagnostics]

    return call
