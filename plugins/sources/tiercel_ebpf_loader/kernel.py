"""bpf(2) as far as the loader needs it (include/uapi/linux/bpf.h, union bpf_attr)."""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Final

SYS_BPF: Final = 321  # x86-64
MAP_CREATE, MAP_LOOKUP_ELEM, MAP_UPDATE_ELEM, PROG_LOAD, RAW_TRACEPOINT_OPEN, LINK_CREATE = 0, 1, 2, 5, 17, 28
RAW_TRACEPOINT: Final = 17  # BPF_PROG_TYPE_RAW_TRACEPOINT
TRACING: Final = 26  # BPF_PROG_TYPE_TRACING
TRACE_ITER: Final = 28  # BPF_TRACE_ITER, enum bpf_attach_type
LOG_BYTES: Final = 1 << 20
LICENSE: Final = b"GPL\0"
"""What the kernel asks of programs that use its tracing helpers."""

_libc = ctypes.CDLL(None, use_errno=True)


class BpfError(OSError):
    """The kernel refused; `log` is what its verifier said, if it did."""

    def __init__(self, what: str, code: int, log: str = "") -> None:
        """`code` is an error number."""
        super().__init__(code, f"{what}: {os.strerror(code)}")
        self.log = log


def _bpf(command: int, attributes: bytes, what: str) -> int:
    result: int = _libc.syscall(SYS_BPF, command, attributes, len(attributes))
    if result < 0:
        raise BpfError(what, ctypes.get_errno())
    return result


def _address(data: object) -> int:
    return ctypes.addressof(data)  # type: ignore[arg-type]  # ctypes instances


def create_map(name: str, *, kind: int, key_size: int, value_size: int, max_entries: int, flags: int) -> int:
    """Descriptor of a new map."""
    attributes = struct.pack("<7I16s", kind, key_size, value_size, max_entries, flags, 0, 0, name[:15].encode())
    return _bpf(MAP_CREATE, attributes, f"map {name}")


def update(fd: int, key: bytes, value: bytes) -> None:
    """Sets an element of a map."""
    key_data, value_data = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value, len(value))
    _bpf(MAP_UPDATE_ELEM, struct.pack("<IIQQQ", fd, 0, _address(key_data), _address(value_data), 0), "map element")


def lookup(fd: int, key: bytes, size: int) -> bytes:
    """The value of an element, `size` bytes, which must exist."""
    key_data, value = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(size)
    _bpf(MAP_LOOKUP_ELEM, struct.pack("<IIQQQ", fd, 0, _address(key_data), _address(value), 0), "map element")
    return value.raw


def load_program(name: str, instructions: bytes, *, kind: int, attach_type: int = 0, attach_btf_id: int = 0) -> int:
    """Descriptor of a loaded program. On refusal it is tried again with the verifier's log, for the error."""
    code = ctypes.create_string_buffer(instructions, len(instructions))
    license_ = ctypes.create_string_buffer(LICENSE)
    log = ctypes.create_string_buffer(8)

    def attributes(level: int) -> bytes:
        head = struct.pack("<IIQQIIQII16s", kind, len(instructions) // 8, _address(code), _address(license_), level,
                           len(log) if level else 0, _address(log) if level else 0, 0, 0, name[:15].encode())  # fmt: skip
        return head + struct.pack("<II", 0, attach_type) + bytes(36) + struct.pack("<II", attach_btf_id, 0)

    try:
        return _bpf(PROG_LOAD, attributes(0), f"program {name}")
    except BpfError as first:
        log = ctypes.create_string_buffer(LOG_BYTES)
        try:
            return _bpf(PROG_LOAD, attributes(1), f"program {name}")
        except BpfError:
            raise BpfError(f"program {name}", first.errno or 0, log.value.decode(errors="replace")) from None


def open_raw_tracepoint(tracepoint: str, program: int) -> int:
    """Attaches a program to a raw tracepoint; it stays attached as long as the descriptor is open."""
    name = ctypes.create_string_buffer(tracepoint.encode())
    return _bpf(RAW_TRACEPOINT_OPEN, struct.pack("<QII", _address(name), program, 0), f"tracepoint {tracepoint}")


def link_iterator(program: int) -> int:
    """Descriptor of a link from which iterators can be made."""
    return _bpf(LINK_CREATE, struct.pack("<IIIIQII", program, 0, TRACE_ITER, 0, 0, 0, 0), "iterator")
