"""bpf(2) as far as an unprivileged process needs it on descriptors that it was given: elements of maps, and iterators."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from typing import Final

SYS_BPF: Final = 321  # x86-64
LOOKUP, UPDATE, DELETE, GET_NEXT_KEY, ITER_CREATE = 1, 2, 3, 4, 33  # enum bpf_cmd, include/uapi/linux/bpf.h

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall


def _bpf(command: int, attributes: bytes) -> int:
    result: int = _syscall(SYS_BPF, command, attributes, len(attributes))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


class Map:
    """A map by its descriptor; keys and values are bytes of the map's own sizes. Not for use by several threads at once."""

    def __init__(self, fd: int, *, key_size: int, value_size: int) -> None:
        """Keeps the descriptor; it stays the caller's."""
        self._key = ctypes.create_string_buffer(key_size)
        self._value = ctypes.create_string_buffer(value_size)
        self._next = ctypes.create_string_buffer(key_size)
        self._next_attributes = struct.pack("<IIQQ", fd, 0, ctypes.addressof(self._key), ctypes.addressof(self._next))
        self._first_attributes = struct.pack("<IIQQ", fd, 0, 0, ctypes.addressof(self._next))
        self._delete_attributes = struct.pack("<IIQ", fd, 0, ctypes.addressof(self._key))
        self._attributes = struct.pack("<IIQQQ", fd, 0, ctypes.addressof(self._key), ctypes.addressof(self._value), 0)

    def update(self, key: bytes, value: bytes) -> None:
        """Sets an element. Raises OSError (E2BIG: the map is full)."""
        self._key[:] = key  # type: ignore[call-overload]  # a buffer takes bytes of its own size
        self._value[:] = value  # type: ignore[call-overload]
        _bpf(UPDATE, self._attributes)

    def lookup(self, key: bytes) -> bytes | None:
        """The value of an element, or None."""
        self._key[:] = key  # type: ignore[call-overload]
        try:
            _bpf(LOOKUP, self._attributes)
        except FileNotFoundError:
            return None
        return self._value.raw

    def delete(self, key: bytes) -> None:
        """Removes an element; it need not exist."""
        self._key[:] = key  # type: ignore[call-overload]
        with contextlib.suppress(FileNotFoundError):
            _bpf(DELETE, self._delete_attributes)

    def keys(self) -> list[bytes]:
        """The keys of all elements; of a map that nobody else changes meanwhile."""
        out: list[bytes] = []
        attributes = self._first_attributes
        with contextlib.suppress(FileNotFoundError):
            while True:
                _bpf(GET_NEXT_KEY, attributes)
                out.append(self._next.raw)
                self._key[:] = self._next.raw  # type: ignore[call-overload]
                attributes = self._next_attributes
        return out


def iterate(link: int) -> bytes:
    """All that an iterator's program writes, in one run over the kernel's table."""
    fd = _bpf(ITER_CREATE, struct.pack("<II", link, 0))
    chunks: list[bytes] = []
    try:
        while chunk := os.read(fd, 1 << 18):
            chunks.append(chunk)
    finally:
        os.close(fd)
    return b"".join(chunks)


def possible_cpus() -> int:
    """Number of values that a per-CPU element has."""
    with open("/sys/devices/system/cpu/possible") as file:
        return int(file.read().strip().replace(",", "-").split("-")[-1]) + 1
