"""Records of captures are hostile: whatever is in them, every field of every event has a value or none, and nothing raises."""

from __future__ import annotations

import contextlib
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit import distributions
from tests.unit.cli.test_replay import metadata
from tests.unit.tiercel_ebpf.made import Kernel, batch, connected, decoder, image, opened, plan, record
from tiercel import RawBatch
from tiercel.capture import Values, printable
from tiercel.plugins import PluginHost
from tiercel_ebpf import records as r
from tiercel_ebpf.snapshots import unpack

PLAUSIBLE = (
    *(image(kind, args=b"a\0b\0") for kind in ("execve", "execveat")),
    *(record(kind, a={0: 11, 1: 6, 2: 11, 3: 1}) for kind in ("clone", "fork", "vfork", "clone3")),
    *(opened(kind, real="/a", text="b", base="/c", origin="/d") for kind in ("open", "openat", "openat2", "creat")),
    connected("10.0.0.1", 80), connected("::1", 80), *(connected("10.0.0.1", 80, kind=kind) for kind in ("dup", "dup2", "dup3", "fcntl")),
    record("procexit"), *(record(kind) for kind in r.KINDS[1:]),
)  # fmt: skip


@st.composite
def records(draw: st.DrawFn) -> bytes:
    """A record with some bytes changed, most of them of its head."""
    data = bytearray(draw(st.sampled_from(PLAUSIBLE)))
    rng = random.Random(draw(st.integers(0, 1 << 30)))
    for _ in range(draw(st.integers(0, 12))):
        data[rng.randrange(len(data))] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
    return bytes(data[: draw(st.sampled_from((None, r.HEAD.size, r.HEAD.size + 10, 100)))])


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Values:
    """All fields of the syscall source that have a value."""
    host = PluginHost(distributions=[distributions.tiercel_itself(tmp_path_factory.mktemp("dist"), plugins=True)])
    host.load()
    return Values(host.fields(), "syscall", printable(host.fields(), metadata()))


PACKED = st.builds(bytes.__add__, st.sampled_from([b"r", b"l", b"u", b"m", b"a", b"g"]), st.binary(max_size=60) | records())


@given(st.lists(records(), max_size=8), st.lists(PACKED, max_size=4))
@settings(max_examples=300, deadline=None)
def test_every_field_of_every_event(values: Values, stream: list[bytes], packed: list[bytes]) -> None:
    rows: list[Any] = []
    for data in packed:
        with contextlib.suppress(ValueError):
            rows.append(unpack(data))
    made = decoder(Kernel(*rows), plan(judged=False))
    for data in stream[:2]:
        made.replay(data)
    for event in made.decode(batch(*stream)):
        for view in range(event.views):
            if event.views > 1:
                event.select(view)
            values.of(event)
            values.as_json(event)
        made.describe(event)


def test_records_without_positions_are_counted() -> None:
    made = decoder()
    assert list(made.decode(RawBatch("syscall", [b"", image(), b"ab"]))) == []
    assert made.counters()["malformed"] == 3
