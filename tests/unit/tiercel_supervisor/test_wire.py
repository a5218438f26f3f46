from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tiercel.runtime import wire as other
from wire import MAX_MESSAGE, WireError, receive, send

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, two = socket.socketpair()
    with one, two:
        yield one, two


def framed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + data


@pytest.mark.parametrize("message", [{}, {"op": "open", "grant": "größe\ud800"}, {"a": [1, 2.5, None, True, {"b": []}]}])
def test_both_halves_speak_the_same(pair: Pair, message: dict[str, Any]) -> None:
    send(pair[0], message)
    assert other.receive(pair[1]) == (message, [])
    other.send(pair[1], message)
    assert receive(pair[0]) == (message, [])


def test_descriptors(pair: Pair) -> None:
    ours = [os.memfd_create(name) for name in "ab"]
    os.write(ours[1], b"data")
    send(pair[0], {"n": 1}, ours)
    send(pair[0], {"n": 2})
    message, fds = receive(pair[1])
    assert (message, len(fds)) == ({"n": 1}, 2)
    assert os.pread(fds[1], 9, 0) == b"data"
    assert receive(pair[1]) == ({"n": 2}, [])
    for fd in (*ours, *fds):
        os.close(fd)


def test_byte_by_byte(pair: Pair) -> None:
    for byte in framed(b'{"a": 1}'):
        pair[0].sendall(bytes([byte]))
    assert receive(pair[1]) == ({"a": 1}, [])


def test_end(pair: Pair) -> None:
    pair[0].close()
    with pytest.raises(WireError, match="closed the connection"):
        receive(pair[1])


@pytest.mark.parametrize("data", [b"\x01", b"\x01\0\0", framed(b'{"a": 1}')[:-1], framed(b"{}")[:4]])
def test_cut_short(pair: Pair, data: bytes) -> None:
    pair[0].sendall(data)
    pair[0].shutdown(socket.SHUT_WR)
    with pytest.raises(WireError):
        receive(pair[1])


def test_too_long_is_refused_before_it_is_read(pair: Pair) -> None:
    pair[0].sendall((MAX_MESSAGE + 1).to_bytes(4, "little"))
    with pytest.raises(WireError, match="not a message"):
        receive(pair[1])


@pytest.mark.parametrize("data", [b"[]", b"1", b"null", b'"x"'])
def test_not_an_object(pair: Pair, data: bytes) -> None:
    pair[0].sendall(framed(data))
    with pytest.raises(WireError, match="expected an object"):
        receive(pair[1])


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"{]"])
def test_not_json(pair: Pair, data: bytes) -> None:
    pair[0].sendall(framed(data))
    with pytest.raises(ValueError):
        receive(pair[1])


@pytest.mark.parametrize("data", [framed(b"[]"), framed(b"{"), b"\xff\xff\xff\xff"])
def test_descriptors_of_what_is_no_message_are_closed(pair: Pair, data: bytes) -> None:
    fd = os.memfd_create("gift")
    before = {path.name for path in Path("/proc/self/fd").iterdir()}
    socket.send_fds(pair[0], [data[:4]], [fd] * 5)
    pair[0].sendall(data[4:])
    with pytest.raises((WireError, json.JSONDecodeError)):
        receive(pair[1])
    assert {path.name for path in Path("/proc/self/fd").iterdir()} == before
    os.close(fd)
