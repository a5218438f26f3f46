"""What follows from stated facts, seen through the decoder that tests use."""

from __future__ import annotations

from typing import Any

import pytest

from tiercel.event import RawBatch
from tiercel.plugins import PluginHost
from tiercel.testing.facts import FactCatalogue
from tiercel.testing.rules.clock import START
from tiercel.testing.rules.decoder import StatedEvent, fact_decoder
from tiercel.testing.rules.derive import TABLE

A, B = b"\x0a\0\0\1", b"\x0a\0\0\2"


def facts(host: PluginHost, given: dict[str, Any], source: str = "syscall") -> Any:
    decoder = fact_decoder(source, FactCatalogue(host.fields()))
    [event] = decoder.decode(RawBatch(source, [StatedEvent(START, given)]))
    return decoder.describe(event)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"evt.rawres": "-13"}, {"evt.res": "EACCES", "evt.failed": True}),
        ({"evt.type": "connect", "evt.rawres": "-13"}, {"evt.arg[res]": "EACCES"}),
        ({"evt.type": "connect", "evt.rawres": "0"}, {"evt.arg[res]": "0"}),
        ({"evt.type": "open", "evt.rawres": "-13"}, {"evt.arg[res]": None}),
        ({"evt.rawres": "3"}, {"evt.res": "SUCCESS", "evt.failed": False}),
        ({"evt.res": "ENOENT"}, {"evt.rawres": -2, "evt.failed": True}),
        ({"evt.type": "open", "fd.num": "5"}, {"evt.rawres": 5, "evt.res": "SUCCESS"}),
        ({"evt.type": "openat", "evt.rawres": "-2"}, {"fd.num": -2}),
        ({"evt.type": "connect", "evt.rawres": "0"}, {"fd.num": None}),
        ({"evt.type": "open", "evt.arg.flags": "O_RDWR|O_CREAT"}, {"evt.is_open_read": True, "evt.is_open_write": True}),
        ({"evt.type": "open", "evt.arg.flags": "O_WRONLY"}, {"evt.is_open_read": False, "evt.is_open_write": True}),
        ({"evt.type": "open"}, {"evt.is_open_read": None, "evt.dir": "<"}),
        ({"evt.type": "execve"}, {"evt.is_open_read": False, "evt.is_open_write": False}),
        ({"proc.name": "sh", "proc.args": "-c id"}, {"proc.cmdline": "sh -c id"}),
        ({"proc.name": "sh"}, {"proc.cmdline": "sh", "proc.args": ""}),
        ({"proc.cmdline": "sh -c id"}, {"proc.name": "sh", "proc.args": "-c id"}),
        ({"proc.cmdline": "sh -c id", "proc.name": "x"}, {"proc.name": "x", "proc.cmdline": "sh -c id"}),
        ({"proc.aname[2]": "init"}, {"proc.aname": (None, "init"), "proc.pname": None}),
        ({"proc.aname[" + "9" * 5_000 + "]": "x"}, {"proc.aname": None}),
        ({"proc.aname": ["bash", "init"]}, {"proc.pname": "bash", "proc.acmdline[1]": "bash", "proc.pcmdline": "bash"}),
        ({"proc.pname": "bash"}, {"proc.aname": ("bash",), "proc.pcmdline": "bash"}),
        ({"proc.acmdline[1]": "bash -i"}, {"proc.pname": "bash", "proc.pcmdline": "bash -i"}),
        ({"proc.acmdline[1]": "bash -i"}, {"proc.aname[1]": "bash", "proc.aargs[1]": "-i"}),
        ({"proc.aname[2]": "bash", "proc.aargs[2]": "-l -i"}, {"proc.acmdline[2]": "bash -l -i"}),
        ({"proc.exe": "/bin/sh", "proc.args": "-c iä"}, {"proc.exeline": "/bin/sh -c iä", "proc.cmdnargs": 2, "proc.cmdlenargs": 5}),
        ({"proc.sid": "7", "proc.vpid": "7"}, {"proc.is_sid_leader": True}),
        ({"group.gid": "0"}, {"group.name": "root"}),
        ({"evt.type": "openat", "fd.name": "/x"}, {"fs.path.name": "/x", "syscall.type": "openat"}),
        ({"evt.type": "dup", "fd.name": "/x"}, {"fs.path.name": None}),
        ({"user.name": "root"}, {"user.uid": 0}),
        ({"user.uid": "0"}, {"user.name": "root"}),
        ({"user.uid": "7"}, {"user.name": None}),
        ({"fd.type": "ipv4"}, {"fd.typechar": "4"}),
        ({"fd.typechar": "d"}, {"fd.type": "directory"}),
        (
            {"evt.type": "connect", "fd.cip": "10.0.0.1", "fd.sip": "10.0.0.2", "fd.cport": "9", "fd.sport": "80"},
            {
                "fd.rip": B, "fd.lip": A, "fd.rport": 80, "fd.lport": 9, "fd.snet": B, "fd.ip": (A, B), "fd.net": (A, B), "fd.port": (9, 80),
                "fd.type": "ipv4", "fd.name": "10.0.0.1:9->10.0.0.2:80",
            },
        ),
        ({"evt.type": "accept", "fd.cip": "10.0.0.1", "fd.sip": "10.0.0.2"}, {"fd.rip": A, "fd.lip": B}),
        ({"evt.type": "connect", "fd.rip": "::1"}, {"fd.sip": bytes(15) + b"\1", "fd.type": "ipv6", "fd.ip": (bytes(15) + b"\1",)}),
        ({}, {"container.id": "host", "container.type": "host", "evt.time": "00:00:00.000000000", "evt.hostname": "testhost"}),
        ({"container.full_id": "0123456789abcdef"}, {"container.id": "0123456789ab", "container.type": None}),
    ],
)  # fmt: skip
def test_facts_follow(host: PluginHost, given: dict[str, Any], expected: dict[str, Any]) -> None:
    found = facts(host, given)
    assert {name: found.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    "given",
    [
        {"evt.rawres": "-13", "evt.res": "ESOMETHING"}, {"proc.name": "a", "proc.cmdline": "b"}, {"proc.name": "a", "proc.cmdline": None},
        {"evt.type": "connect", "fd.sip": "10.0.0.1", "fd.rip": "10.0.0.2"}, {"container.id": None},
    ],
)  # fmt: skip
def test_a_stated_value_wins_also_that_it_is_missing(host: PluginHost, given: dict[str, Any]) -> None:
    stated = FactCatalogue(host.fields()).facts(given, "syscall")
    found = facts(host, given)
    assert {name: found[name] for name in stated} == stated


def test_times_are_relative_to_the_event() -> None:
    # The fields themselves come with the catalogue; what follows is independent of it.
    from tiercel.testing.rules.derive import derive

    assert derive({"proc.pid.ts": START - 5}, "syscall", time=START)["proc.duration"] == 5
    assert derive({"proc.duration": 5}, "syscall", time=START)["proc.pid.ts"] == START - 5


def test_other_sources_have_only_the_clock(host: PluginHost) -> None:
    from tiercel.testing.rules.derive import derive

    assert set(derive({}, "k8s_audit", time=START)) == {"evt.rawtime", "evt.time", "evt.time.s", "evt.datetime", "evt.datetime.s"}


def test_every_row_says_what_it_follows_from() -> None:
    assert all(row.text for row in TABLE)
