from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.engine.planning import rule
from tiercel.config.grants import Grant
from tiercel.config.model import Config, RunOptions, override
from tiercel.runtime.greeting import destinations, watched

CLASSES = {
    "stdout": SimpleNamespace(config_schema={"type": "object"}),
    "file": SimpleNamespace(config_schema={"properties": {"grant": {"type": "string"}, "format": {}}, "required": ["grant"]}),
    "http": SimpleNamespace(
        config_schema={"properties": {"url": {"type": "string"}, "token": {"writeOnly": True}}, "required": ["url", "token"]}
    ),
    "program": SimpleNamespace(config_schema={"properties": {"command": {"type": "array"}}, "required": ["command"]}),
}


def generation(outputs: dict[str, dict[str, Any]], *, rules: int = 2, types: int = 3, source: str = "ebpf", **more: Any) -> Any:
    return SimpleNamespace(
        config=Config(outputs=outputs, **more),
        plugins=SimpleNamespace(outputs=lambda: CLASSES),
        rules=(rule("R", "evt.type = open"),) * rules,
        source_id=source,
        source=SimpleNamespace(event_source="syscall"),
        source_plan=SimpleNamespace(wanted_types=frozenset(map(str, range(types)))),
    )


@pytest.mark.parametrize(
    ("rules", "types", "source", "expected"),
    [
        (2, 3, "ebpf", "2 rules for 3 event types, source ebpf (syscall)"),
        (1, 1, "syscall", "1 rule for 1 event type, source syscall"),
        (0, 0, "syscall/two", "0 rules for 0 event types, source syscall/two (syscall)"),
    ],
)
def test_what_is_watched(rules: int, types: int, source: str, expected: str) -> None:
    assert watched(generation({}, rules=rules, types=types, source=source)) == expected


def test_where_alerts_go() -> None:
    outputs: dict[str, dict[str, Any]] = {
        "stdout": {}, "file/audit": {"grant": "audit", "format": "json"}, "http/oncall": {"url": "https://x.test/", "token": "env:TOKEN"},
        "program": {"command": ["/bin/true"]},
    }  # fmt: skip
    text = destinations(generation(outputs, grants={"audit": Grant("/var/log/alerts", "append")}))
    assert text == "stdout, file/audit /var/log/alerts, http/oncall https://x.test/, program"


def test_a_file_of_the_command_line() -> None:
    found = generation({})
    found.config = override(found.config, RunOptions(output_file=Path("/tmp/alerts")))
    assert destinations(found) == "file/output-file /tmp/alerts"


def test_nowhere() -> None:
    assert destinations(generation({})) == "nowhere: there is no output"
