"""Whatever a test states, it is judged or refused; nothing raises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.testing.rules.test_document import TREES
from tiercel.config.files import Files
from tiercel.errors import ConfigError, RuleError
from tiercel.fields import Argument, Field, FieldType
from tiercel.plugins import PluginHost
from tiercel.testing.rules.bench import Bench
from tiercel.testing.rules.run import run

NAMES = st.sampled_from(
    ["proc.name", "proc.aname", "proc.aname[2]", "evt.arg.flags", "fd.num", "fd.sip", "evt.type", "ancestors", "at", "x["]
)
RULES = """\
- {rule: R, desc: d, condition: 'evt.type in (open, connect) and fd.net = 10.0.0.0/8 and proc.aname = x', output: "%fd.name %evt.time", priority: INFO}
- {rule: S, desc: d, condition: evt.type != close and proc.cmdline contains a, output: "%proc.acmdline %container.id %evt.args", priority: INFO}
"""


@pytest.fixture(scope="module")
def bench(host: PluginHost) -> Bench:
    """Loads the rules once."""
    return Bench(host, files=Files())


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("any")
    (made / "a.yaml").write_text(RULES)
    return made


def judged(bench: Bench, directory: Path, events: list[Any], context: Any) -> bool:
    tests = [{"name": "n", "events": events, "expect": [{"rule": "R"}]}, {"name": "m", "events": events, "expect_none": True}]
    (directory / "a.test.yaml").write_text(json.dumps({"context": context, "tests": tests}, ensure_ascii=False))
    try:
        [suite] = bench.load([directory / "a.test.yaml"])
    except (ConfigError, RuleError) as error:
        assert all(each.message for each in error.diagnostics)
        return False
    for test in suite.file.tests:
        assert all(isinstance(each, str) for each in run(suite, test).problems)
    return True


@given(events=st.lists(st.dictionaries(NAMES | st.text(max_size=3), TREES, max_size=4), min_size=1, max_size=3), context=TREES)
def test_any_tree(events: list[Any], context: Any, bench: Bench, directory: Path) -> None:
    judged(bench, directory, events, context)


TEXTS = st.text("ab /:.-\\\"'\u00e4\u2028", max_size=8) | st.sampled_from(["O_RDONLY|O_CREAT", "EACCES", "a->b", "root", "-"])
VALUES: dict[FieldType, st.SearchStrategy[Any]] = {
    FieldType.BOOL: st.booleans(),
    FieldType.IP: st.ip_addresses().map(str),
    FieldType.NET: st.ip_addresses().map(str),
    FieldType.PORT: st.integers(0, 65_535),
}


def stated(field: Field) -> tuple[str, st.SearchStrategy[Any]]:
    """A field as a test may write it, and values that fit."""
    numbers = st.integers(-1000, 1000) | st.sampled_from([0, 1, 2**15, 2**31, 2**31 - 1, 2**62])
    one = VALUES.get(field.type, TEXTS if field.type.is_text or field.type is FieldType.BYTES else numbers)
    argument = {Argument.INDEX: "[1]", Argument.KEY: "[a]", Argument.OPTIONAL_INDEX: "[2]"}.get(field.argument, "")
    return field.name + argument, one | st.none()


@given(data=st.data())
def test_any_facts_that_fit(data: st.DataObject, host: PluginHost, bench: Bench, directory: Path) -> None:
    catalogue = host.fields()
    fields = [found for name in sorted(catalogue.names("syscall")) if (found := catalogue.get(name, "syscall")) and name != "evt.type"]
    chosen = data.draw(st.lists(st.sampled_from(fields), max_size=12, unique_by=lambda each: each.name))
    facts = {name: data.draw(values) for name, values in map(stated, chosen)}
    kind = data.draw(st.sampled_from(["open", "connect", "execve", "dup2", "accept4", "procexit"]))
    judged(bench, directory, [{**facts, "evt.type": kind}], {})
