"""Fields that events of every source have: number, time, source, host. Names, types and values are Falco's."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from tiercel import ChangePoint, FactGroup, Field, FieldType, hookimpl

__all__ = ["tiercel_register_fields"]

SECOND = 1_000_000_000
"""Nanoseconds."""


@lru_cache(maxsize=64)
def _local(seconds: int, form: str) -> str:
    """Local time as text; events of one second share it."""
    return time.strftime(form, time.localtime(seconds))


def _time(nanoseconds: int) -> str:
    return f"{_local(nanoseconds // SECOND, '%H:%M:%S')}.{nanoseconds % SECOND:09d}"


def _time_s(nanoseconds: int) -> str:
    return _local(nanoseconds // SECOND, "%H:%M:%S")


def _iso8601(nanoseconds: int) -> str:
    seconds, fraction = divmod(nanoseconds, SECOND)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction:09d}+0000"


def _datetime(nanoseconds: int) -> str:
    return f"{_local(nanoseconds // SECOND, '%Y-%m-%d %H:%M:%S')}.{nanoseconds % SECOND:09d}"


def _datetime_s(nanoseconds: int) -> str:
    return _local(nanoseconds // SECOND, "%Y-%m-%d %H:%M:%S")


@lru_cache(maxsize=1)
def _hostname() -> str:
    return os.environ.get("FALCO_HOSTNAME") or os.uname().nodename


def _stored(name: str, kind: FieldType, attribute: str, description: str) -> Field:
    return Field(name=name, type=kind, path=(attribute,), description=description)


def _of_time(name: str, kind: FieldType, function: Callable[[int], Any], description: str) -> Field:
    return Field(name=name, type=kind, inputs=("evt.rawtime",), function=function, description=description)


@hookimpl
def tiercel_register_fields() -> Iterable[Field]:
    """The fields."""
    text, nanoseconds = FieldType.STRING, FieldType.TIME
    return [
        _stored("evt.num", FieldType.UINT64, "number", "Running number of the event, from 1; what the source dropped has none."),
        _stored("evt.rawtime", nanoseconds, "time", "Nanoseconds since the epoch."),
        _of_time("evt.rawtime.s", nanoseconds, lambda value: value // SECOND, "Seconds part of the time."),
        _of_time("evt.rawtime.ns", nanoseconds, lambda value: value % SECOND, "Nanoseconds part of the time."),
        _of_time("evt.time", text, _time, "Local time of day with nanoseconds."),
        _of_time("evt.time.s", text, _time_s, "Local time of day in whole seconds."),
        _of_time("evt.time.iso8601", text, _iso8601, "Date and time in ISO 8601 with nanoseconds, UTC."),
        _of_time("evt.datetime", text, _datetime, "Local date and time with nanoseconds."),
        _of_time("evt.datetime.s", text, _datetime_s, "Local date and time in whole seconds."),
        # Source and host are the same for all events that a mask is made for: a check on them costs nothing per event.
        Field(
            name="evt.source",
            type=text,
            path=("source",),
            group=FactGroup.PROCESS,
            changes=ChangePoint.NEVER,
            description="Name of the event source.",
        ),
        Field(
            name="evt.hostname",
            type=text,
            getter=lambda _: _hostname(),
            group=FactGroup.PROCESS,
            changes=ChangePoint.NEVER,
            description="Name of the host; the environment variable FALCO_HOSTNAME overrides it.",
        ),
        Field(name="evt.is_async", type=FieldType.BOOL, getter=lambda _: False, description="Always false: no event is injected."),
        *(
            Field(name=name, type=kind, getter=lambda _: None, absent=True, description=description)
            for name, kind, description in (
                ("evt.asynctype", text, "Name of an injected event."),
                ("evt.pluginname", text, "Name of the plugin that made the event."),
                ("evt.plugininfo", text, "What that plugin says of the event."),
                ("evt.reltime", nanoseconds, "Nanoseconds since the first event."),
                ("evt.reltime.s", nanoseconds, "Whole seconds since the first event."),
                ("evt.reltime.ns", nanoseconds, "Nanoseconds part of the time since the first event."),
                ("evt.outputtime", text, "Time as the tool prints it."),
            )
        ),
    ]
