"""Records of snapshots as bytes, for captures."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.tiercel_ebpf.made import Kernel, decode, decoder, image, opened
from tiercel_ebpf import records as r
from tiercel_ebpf.snapshots import pack, unpack

NUMBER = st.integers(0, (1 << 32) - 1)
LONG = st.integers(0, (1 << 64) - 1)
RECORDS = st.one_of(
    st.builds(lambda *parts: r.CommandLine(parts), NUMBER, LONG, LONG, st.binary(max_size=50)),
    st.builds(lambda *parts: r.Unlisted(parts), NUMBER, NUMBER, LONG, st.binary(max_size=15), st.binary(max_size=50)),
    st.builds(r.Mounts, st.binary(max_size=100)),
    st.binary(min_size=r.HEAD.size, max_size=r.HEAD.size + 50),
)


@given(RECORDS)
def test_what_is_packed_is_unpacked(record: object) -> None:
    found = unpack(pack(record))
    assert found == record
    assert type(found) is type(record)


def test_of_accounts_only_what_fields_show_is_kept() -> None:
    text = b"root:x:0:0:Charlie:/root:/bin/sh\n# note\nwww:x:33:33:secret:/srv:\nbad:x:-1:\n"
    assert unpack(pack(r.Accounts(text))) == r.Accounts(b"root::0:::/root:/bin/sh\nwww::33:::/srv:")
    assert isinstance(unpack(pack(r.Accounts(text))), r.Accounts)
    groups = unpack(pack(r.Groups(b"www:x:33:charlie,alice\n")))
    assert (groups, type(groups)) == (b"www::33:", r.Groups)


@pytest.mark.parametrize("data", [b"", b"?", b"r", b"r" + bytes(r.HEAD.size - 1), b"l123", b"u123"])
def test_no_record(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"unknown kind|a row of|too short"):
        unpack(data)


@given(
    st.lists(
        st.builds(bytes.__add__, st.sampled_from([b"r", b"l", b"u", b"m", b"a", b"g"]), st.binary(max_size=r.HEAD.size + 200)), max_size=5
    ),
    st.binary(max_size=r.HEAD.size + 50),
)
def test_any_snapshot_can_be_taken(packed: list[bytes], record: bytes) -> None:
    rows = []
    for data in packed:
        with contextlib.suppress(ValueError):
            rows.append(unpack(data))
    made = decoder(Kernel(*rows))
    assert decode(made, image(), opened(real="/a", flags=r.F_SAME), read=lambda event: event.name)[1:] == ["/a"]
    decode(made, record, read=lambda event: event.name)
    with contextlib.suppress(ValueError):
        made.replay(record)


@pytest.mark.parametrize("text", [b"1 2 x:y / /mnt rest", b"1 2 8:1:9 / /mnt", b"1 2 -8:1 / /mnt", b"1 2 : / /mnt \xff", b"\0"])
def test_mounts_that_are_none(text: bytes) -> None:
    made = decoder(Kernel(r.Mounts(text + b"\n1 2 8:1 / /data rest")))
    assert made._mounts.get(8 << 20 | 1) == "/data"
