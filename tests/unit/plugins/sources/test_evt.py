from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

import tiercel_evt
from tiercel import ChangePoint, FactGroup, Field
from tiercel.registry import FieldCatalogue

NOON = 1_700_000_000_123_456_789
"""2023-11-14 22:13:20.123456789 UTC."""


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two hours east of Greenwich."""
    monkeypatch.setenv("TZ", "XYZ-2")
    time.tzset()
    tiercel_evt._local.cache_clear()
    yield
    monkeypatch.undo()
    time.tzset()
    tiercel_evt._local.cache_clear()


@pytest.fixture
def fields() -> dict[str, Field]:
    catalogue = FieldCatalogue()
    for each in tiercel_evt.tiercel_register_fields():
        catalogue.add(each, "tiercel")
    catalogue.resolve()
    return {each.name: each for each in catalogue.fields("anything")}


def test_names_are_those_that_every_source_has(fields: dict[str, Field]) -> None:
    assert set(fields) == {
        *("evt.num", "evt.time", "evt.time.s", "evt.time.iso8601", "evt.datetime", "evt.datetime.s"),
        *("evt.rawtime", "evt.rawtime.s", "evt.rawtime.ns", "evt.source", "evt.hostname", "evt.is_async", "evt.asynctype"),
        *("evt.reltime", "evt.reltime.s", "evt.reltime.ns", "evt.pluginname", "evt.plugininfo", "evt.outputtime"),
    }
    assert {name for name, field in fields.items() if field.absent} == {
        *("evt.asynctype", "evt.reltime", "evt.reltime.s", "evt.reltime.ns", "evt.pluginname", "evt.plugininfo", "evt.outputtime"),
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("evt.time", "00:13:20.123456789"),
        ("evt.time.s", "00:13:20"),
        ("evt.time.iso8601", "2023-11-14T22:13:20.123456789+0000"),
        ("evt.datetime", "2023-11-15 00:13:20.123456789"),
        ("evt.datetime.s", "2023-11-15 00:13:20"),
        ("evt.rawtime.s", 1_700_000_000),
        ("evt.rawtime.ns", 123_456_789),
    ],
)
def test_forms_of_the_time(zone: None, fields: dict[str, Field], name: str, value: Any) -> None:
    function = fields[name].function
    assert function is not None
    assert fields[name].inputs == ("evt.rawtime",)
    assert function(NOON) == value


def test_leading_zeros_of_the_fraction(zone: None, fields: dict[str, Field]) -> None:
    function = fields["evt.time"].function
    assert function is not None
    assert function(5) == "02:00:00.000000005"


def test_time_is_never_judged_ahead(fields: dict[str, Field]) -> None:
    for name in ("evt.num", "evt.rawtime", "evt.time", "evt.datetime.s"):
        assert (fields[name].group, fields[name].changes) == (FactGroup.REST, ChangePoint.EVENT)


def test_source_and_host_never_change(fields: dict[str, Field]) -> None:
    for name in ("evt.source", "evt.hostname"):
        assert (fields[name].group, fields[name].changes) == (FactGroup.PROCESS, ChangePoint.NEVER)
    assert fields["evt.source"].path == ("source",)


@pytest.mark.parametrize(("variable", "expected"), [("web1", "web1"), (None, os.uname().nodename)])
def test_hostname(monkeypatch: pytest.MonkeyPatch, fields: dict[str, Field], variable: str | None, expected: str) -> None:
    tiercel_evt._hostname.cache_clear()
    if variable:
        monkeypatch.setenv("FALCO_HOSTNAME", variable)
    else:
        monkeypatch.delenv("FALCO_HOSTNAME", raising=False)
    getter = fields["evt.hostname"].getter
    assert getter is not None
    assert getter(object()) == expected
    tiercel_evt._hostname.cache_clear()
