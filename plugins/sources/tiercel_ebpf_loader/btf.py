"""Structure offsets of the running kernel, read from its BTF (format: kernel Documentation/bpf/btf.rst).

bcc does not relocate, and structures differ between kernels: the program gets the offsets as constants.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

VMLINUX = Path("/sys/kernel/btf/vmlinux")
KIND_STRUCT, KIND_UNION, KIND_ENUM, KIND_FUNC = 4, 5, 6, 12
_TAIL = {1: 4, 3: 12, 14: 4, 17: 4}  # bytes after a type's header, by kind
_PER_MEMBER = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}


class Btf:
    """The types of a BTF blob."""

    def __init__(self, data: bytes) -> None:
        """Indexes the blob; names are resolved when asked for."""
        _, _, _, header, type_off, type_len, str_off, str_len = struct.unpack_from("<HBBIIIII", data)
        self._data = data
        self._strings = data[header + str_off : header + str_off + str_len]
        self._types: list[tuple[int, int, int, int, int, int]] = [(0, 0, 0, 0, 0, 0)]  # position, name, kind, members, flag, size
        at, end = header + type_off, header + type_off + type_len
        unpack, append = struct.Struct("<III").unpack_from, self._types.append
        while at < end:
            name, info, size = unpack(data, at)
            kind, count = info >> 24 & 0x1F, info & 0xFFFF
            append((at, name, kind, count, info >> 31, size))
            at += 12 + _TAIL.get(kind, 0) + _PER_MEMBER.get(kind, 0) * count

    def _name(self, offset: int) -> str:
        return self._strings[offset : self._strings.index(b"\0", offset)].decode()

    def _offset_of(self, name: str) -> int:
        """Offset of a name in the string section, or -1."""
        at = self._strings.find(b"\0" + name.encode() + b"\0")
        return at + 1 if at >= 0 else -1

    def _members(self, type_id: int, base: int = 0) -> Iterator[tuple[str, int, int]]:
        """(name, bit offset, bits) of all members; those of anonymous structures belong to the enclosing one."""
        at, _, kind, count, flag, _ = self._types[type_id]
        for i in range(count if kind in (KIND_STRUCT, KIND_UNION) else 0):
            name, member, where = struct.unpack_from("<III", self._data, at + 12 + 12 * i)
            offset = base + (where & 0xFFFFFF if flag else where)
            if name:
                yield self._name(name), offset, where >> 24 if flag else 0
            else:
                yield from self._members(member, offset)

    def structures(self, wanted: dict[str, set[str]]) -> dict[tuple[str, str], tuple[int, int]]:
        """(structure, member) -> (bit offset, bits of a bit field or 0) for the wanted members that exist.

        The key ``(structure, "")`` holds the structure's size in bytes.
        """
        names = {self._offset_of(s): s for s in wanted}
        names.pop(-1, None)
        found: dict[tuple[str, str], tuple[int, int]] = {}
        for type_id, (_, name, kind, _, _, size) in enumerate(self._types):
            if kind != KIND_STRUCT or name not in names:
                continue
            own = names[name]
            found.setdefault((own, ""), (size, 0))
            for member, offset, bits in self._members(type_id):
                if member in wanted[own]:
                    found.setdefault((own, member), (offset, bits))
        return found

    def function(self, name: str) -> int:
        """Type id of a function of the kernel, 0 if it is not described."""
        wanted = self._offset_of(name)
        return next((i for i, (_, own, kind, _, _, _) in enumerate(self._types) if kind == KIND_FUNC and own == wanted), 0)

    def enumerators(self, wanted: set[str]) -> dict[str, int]:
        """Values of the wanted enumerators that exist."""
        names = {self._offset_of(n): n for n in wanted}
        names.pop(-1, None)
        found: dict[str, int] = {}
        for at, _, kind, count, _, _ in self._types:
            if kind == KIND_ENUM:
                for i in range(count):
                    name, value = struct.unpack_from("<Ii", self._data, at + 12 + 8 * i)
                    if name in names:
                        found.setdefault(names[name], value)
        return found
