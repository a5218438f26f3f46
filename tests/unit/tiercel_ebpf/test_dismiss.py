"""What the decoder drops by known masks would have made no alert: with and without dropping, the same alerts come."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.tiercel_ebpf import made
from tests.unit.tiercel_ebpf.made import batch, connected, image, opened, record
from tests.unit.tiercel_ebpf.test_fields import value
from tiercel import FactGroup
from tiercel.config.rules import load_rules
from tiercel.engine.engine import Engine
from tiercel.engine.planner import Plan, build
from tiercel.plugins import PluginHost
from tiercel_ebpf import records as r
from tiercel_ebpf.decode import SyscallDecoder
from tiercel_ebpf.fields import FIELDS

CONDITIONS = (
    "evt.type in (open, openat, creat) and fd.name startswith /etc/ and proc.name != sshd",
    "evt.type in (open, openat) and evt.is_open_write = true and fd.directory = /bin",
    "evt.type = openat and fd.filename in (id_rsa, shadow)",
    "evt.type = openat and evt.rawres < 0 and proc.name = cat",
    "evt.type = openat and fd.name contains secret and user.uid = 0",
    "evt.type = openat and fd.name endswith .key and not fd.name startswith /usr/",
    "evt.type in (open, openat) and fd.name glob /home/*/.ssh/* and evt.res = SUCCESS",
    "evt.type = openat and fd.name pmatch (/var/log, /root)",
    "evt.type = connect and fd.sip = 10.0.0.1 and fd.sport = 80",
    "evt.type = connect and fd.snet in (192.168.0.0/16) and proc.name = cat",
    "evt.type in (connect, dup2) and fd.typechar = 4 and fd.num < 2 and user.uid != 0",
    "evt.type = execve and proc.name = cat",
    "evt.type = dup and fd.num = 0",
)


@pytest.fixture(scope="module")
def host() -> PluginHost:
    host = PluginHost()
    host.load()
    return host


@pytest.fixture(scope="module")
def plan(host: PluginHost) -> Plan:
    text = "".join(f"- {{rule: r{n}, desc: d, priority: INFO, output: '%fd.name', condition: '{c}'}}\n" for n, c in enumerate(CONDITIONS))
    rules = load_rules([("a.yaml", text)], host).rules
    assert len(rules) == len(CONDITIONS)
    abilities = dataclasses.replace(host.sources().get("ebpf").abilities(), judged_types=frozenset())
    return build(rules, host.fields(), {"syscall": abilities}, generation=1)


PATHS = (
    "/etc/shadow", "/etc/", "/bin/x", "/bin", "/tmp/secret/y", "/tmp/a.key", "/usr/a.key", "/home/u/.ssh/id_rsa", "/var/log/x", "/var/logs",
    "/root", "/root/é", "/", "/tmp/\udcff", "/tmp/plain",
)  # fmt: skip


@st.composite
def records(draw: st.DrawFn) -> list[bytes]:
    """Records of two processes, some of them several times."""
    out = []
    for _ in range(draw(st.integers(1, 12))):
        who: dict[str, Any] = draw(
            st.sampled_from(({"tgid": 10, "tid": 10}, {"tgid": 20, "tid": 20, "uid": 7}, {"tgid": 10, "tid": 11, "uid": 7}))
        )
        kind = draw(st.sampled_from(("open", "openat", "openat2", "creat", "connect", "dup", "dup2", "execve")))
        if kind in ("open", "openat", "openat2", "creat"):
            path = draw(st.sampled_from(PATHS))
            flags = draw(st.sampled_from((r.F_SAME, r.F_SAME, r.F_SAME, 0, r.F_SAME | r.F_CUT, r.F_TEXT)))
            result = draw(st.sampled_from((3, 4, 300, -2)))
            one = opened(
                kind,
                flags=flags,
                real=path,
                text=draw(st.sampled_from(PATHS)),
                result=result,
                flags_of_file=draw(st.sampled_from((0, 1))),
                **who,
            )
        elif kind == "execve":
            one = image(kind, comm=draw(st.sampled_from(("cat", "sshd"))), pid=who["tgid"], **{k: v for k, v in who.items() if k == "uid"})
        elif kind == "connect":
            address = draw(st.sampled_from(("10.0.0.1", "192.168.3.4", "fd00::1")))
            one = connected(address, draw(st.sampled_from((80, 443))), own_port=draw(st.sampled_from((1000, 2000))), **who)
        else:
            one = record(kind, result=draw(st.integers(0, 3)), a={1: 4 | 0o140777 << 32}, **who)
        out += [one] * draw(st.sampled_from((1, 1, 3)))
    return out


def alerts(plan: Plan, batches: list[list[bytes]], *, drop: bool) -> tuple[list[tuple[str, int, str]], int]:
    """(Rule, number of the event, message) of all alerts, and how many events were dropped."""
    source = plan.source("syscall")
    kernel = made.Kernel(image("task", pid=1, ppid=0, start=1), image("task"), image("task", comm="sshd", pid=20))
    decoder = SyscallDecoder.from_config({}, None)
    decoder.open(source if drop else dataclasses.replace(source, known=lambda _type: None), kernel.snapshot)
    engine = Engine(plan, matching="all", hostname="h", origin="o")
    found = []
    for each in batches:
        for event in decoder.decode(batch(*each)):
            found += [(alert.rule, event.number, alert.message) for alert in engine.evaluate(event)]
    return found, decoder.counters()["dismissed"]


@given(batches=st.lists(records(), min_size=1, max_size=3))
def test_the_same_alerts_come(plan: Plan, batches: list[list[bytes]]) -> None:
    again = batches * 3  # masks are known then, and places come the second time
    expected, none = alerts(plan, again, drop=False)
    assert none == 0
    assert alerts(plan, again, drop=True)[0] == expected


def test_what_repeats_is_dropped(plan: Plan) -> None:
    plain = opened("openat", flags=r.F_SAME, real="/tmp/plain")
    found, dropped = alerts(plan, [[plain] * 10, [opened("openat", flags=r.F_SAME, real=f"/tmp/{n}") for n in range(10)]], drop=True)
    assert found == []
    assert dropped >= 17  # all but those by which the masks became known


def test_keys_tell_apart_what_fields_do(plan: Plan) -> None:
    """Two events that agree in a key agree in every field that goes by it."""
    seen: dict[tuple[str, Any], Any] = {}
    made_decoder = made.decoder(made.Kernel(image("task", pid=1, ppid=0, start=1), image("task")))
    sample = [
        opened(kind, flags=flags, real=path, text="/x", result=result, flags_of_file=access)
        for kind in ("open", "openat") for path in PATHS for flags in (r.F_SAME, 0) for result in (3, 4, -2) for access in (0, 1)
    ]  # fmt: skip
    sample += [
        connected(address, port, kind=kind, own_port=own, result=result)
        for kind in ("connect", "dup", "dup2") for address in ("10.0.0.1", "fd00::1") for port in (80, 443) for own in (1, 2) for result in (0, 4)
    ]  # fmt: skip
    keyed = [field for field in FIELDS if field.key is not None and field.group in (FactGroup.SCALAR, FactGroup.PLACE)]
    assert len(keyed) > 20
    for event in made_decoder.decode(batch(*sample)):
        for view in range(event.views if event.type else 0):
            event.select(view)
            for field in keyed:
                assert field.key is not None
                got = value(field, event)
                assert seen.setdefault((field.name, getattr(event, field.key)), got) == got, field.name
