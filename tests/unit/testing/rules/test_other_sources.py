"""Events of any event source can be given as fields, also of those that plugins of strangers bring."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit import distributions
from tiercel import Field, FieldType, Quantifier, hookimpl
from tiercel.config.files import Files
from tiercel.plugins import PluginHost
from tiercel.testing.rules.bench import Bench
from tiercel.testing.rules.mutate import mutate
from tiercel.testing.rules.run import run

RULES = """\
- rule: Exec
  desc: d
  condition: audit.verb = create and audit.containers intersects (a, b)
  output: "%audit.verb by %audit.user"
  priority: NOTICE
  source: audit
"""
TESTS = """\
source: audit
context: {audit.verb: create, audit.containers: [b, c]}
tests:
  - name: fires
    events: [{audit.user: eve}]
    expect: [{rule: Exec, output: create by eve}]
  - name: silent
    events: [{audit.verb: delete}, {audit.containers: [d]}]
    expect_none: true
"""


def test_a_source_whose_event_types_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stored(name: str, *, is_list: bool = False) -> Field:
        return Field(
            name=name, type=FieldType.STRING, description="d", sources=frozenset({"audit"}), is_list=is_list, quantifier=Quantifier.ONE,
            getter=lambda _event: 1 / 0,  # tests never read the event itself
        )  # fmt: skip

    fields = [stored("audit.verb"), stored("audit.user"), stored("audit.containers", is_list=True)]
    distributions.module(monkeypatch, "audit_plugin", f=hookimpl(specname="tiercel_register_fields")(lambda: fields))
    own = distributions.tiercel_itself(tmp_path / "own")
    host = PluginHost(distributions=[own, distributions.distribution(tmp_path / "d", "audit", entry_points={"audit": "audit_plugin"})])
    host.load()
    (tmp_path / "r.yaml").write_text(RULES)
    (tmp_path / "r.test.yaml").write_text(TESTS)
    [suite] = Bench(host, files=Files()).load([tmp_path / "r.test.yaml"])
    assert [problem for test in suite.file.tests for problem in run(suite, test).problems] == []
    assert [(len(each.killed), each.fine) for each in mutate([suite])] == [(4, True)]
