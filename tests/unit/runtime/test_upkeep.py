from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.engine.planning import rule
from tiercel.alert import Alert
from tiercel.config.model import Config
from tiercel.pipeline.internal import InternalAlerts
from tiercel.runtime import upkeep as module
from tiercel.runtime.host import DirectHost
from tiercel.runtime.upkeep import Upkeep


class Counters:
    """The counters of a sensor, set by a test; stands in for its statistics and for its source."""

    event_source = "syscall"

    def __init__(self) -> None:
        self.types: dict[str, dict[str, int]] = {}
        self.fields: dict[str, dict[str, Any]] = {}
        self.broken = False

    def counters(self) -> Mapping[str, Mapping[str, int]]:
        return self.types

    def collect(self) -> Mapping[str, Any]:
        if self.broken:
            raise ValueError("bug of a plugin")
        return {"types": self.types, "fields": self.fields}

    def samples(self) -> Iterable[Any]:
        return ()

    def write(self, fd: int, values: Mapping[str, Any]) -> None:
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps(values).encode(), 0)


class Case:
    def __init__(self, descriptor: int | None = None) -> None:
        self.counters = Counters()
        self.alerts: list[Alert] = []
        internal = InternalAlerts(hostname="")
        internal.connect(self.alerts.extend)
        generation = SimpleNamespace(config=Config(), rules=(rule("R", "evt.type = open"),))
        logs = SimpleNamespace(tell=lambda: None)
        sensor: Any = SimpleNamespace(source=self.counters, generation=generation, internal=internal, logs=logs)
        statistics: Any = self.counters
        self.upkeep = Upkeep(sensor, statistics, DirectHost({}), descriptor=descriptor)

    @property
    def told(self) -> list[str]:
        return [alert.message for alert in self.alerts]


def failing(*, quarantined: bool) -> dict[str, Any]:
    return {"owner": "tiercel-lab", "failures": 100, "quarantined": quarantined, "error": "ValueError: bug", "rules": ("R",)}


def test_a_field_in_quarantine_and_back() -> None:
    case = Case()
    for quarantined in (False, True, True, False, False):
        case.counters.fields = {"syscall:lab.x": failing(quarantined=quarantined)}
        case.upkeep.look()
    assert case.told == [
        "plugin quarantined: field lab.x of tiercel-lab failed 100 times and is left alone for a while: ValueError: bug; read by: R",
        "plugin restored: field lab.x of tiercel-lab is called again",
    ]
    assert case.alerts[0].fields["field.rules"] == ["R"]


def test_what_was_lost_is_told_once_over_the_lives_of_sensors() -> None:
    descriptor = os.memfd_create("statistics")
    first = Case(descriptor)
    first.counters.types = {"open": {"seen": 10, "lost": 4}}
    first.upkeep.look()
    second = Case(descriptor)
    second.counters.types = {"open": {"seen": 20, "lost": 9}}
    second.upkeep.look()
    assert [alert.fields["loss.events"] for alert in first.alerts + second.alerts] == [4, 5]
    os.close(descriptor)


def test_what_is_left_is_told_at_the_end() -> None:
    case = Case()
    for lost in (1, 3):
        case.counters.types = {"open": {"seen": 10, "lost": lost}}
        case.upkeep.look()
    case.upkeep.finish()
    assert [alert.fields["loss.events"] for alert in case.alerts] == [1, 2]


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"losses_told": 3}', b'{"losses_told": {"open": "x"}}', b"\xff"])
def test_statistics_of_an_earlier_sensor_that_are_none(content: bytes) -> None:
    descriptor = os.memfd_create("statistics")
    os.write(descriptor, content)
    case = Case(descriptor)
    case.counters.types = {"open": {"lost": 1}}
    case.upkeep.look()
    assert len(case.alerts) == 1
    os.close(descriptor)


def test_a_bug_is_logged_and_the_sensor_goes_on(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.01)
    case = Case()
    case.counters.broken = True

    async def whole() -> None:
        ended = asyncio.Event()
        asyncio.get_running_loop().call_later(0.1, ended.set)
        asyncio.get_running_loop().call_later(0.05, setattr, case.counters, "broken", False)
        await case.upkeep.run(ended)

    case.counters.types = {"open": {"lost": 1}}
    asyncio.run(whole())
    assert "ValueError: bug of a plugin" in caplog.text
    assert len(case.alerts) == 1
