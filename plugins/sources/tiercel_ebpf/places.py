"""Writes the place maps of a plan: hashes of paths, and networks."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tiercel_ebpf.bpf import Map
from tiercel_ebpf.translate import Entry

PREFIX, EXACT, DIRECTORY, NAME = range(4)
KINDS: Final = {"prefix": PREFIX, "exact": EXACT, "directory": DIRECTORY, "name": NAME}
COMPARED: Final = 128
"""Bytes of a value that the kernel compares before it drops for it; longer values only keep events."""
TEXT: Final = 136
MASK64: Final = (1 << 64) - 1


def path_hash(text: bytes, *, seed: int, factor: int) -> int:
    """The kernel program's hash (program/place.h); keyed, so that nobody can make two paths collide on purpose."""
    value = seed
    for byte in text:
        value = (value ^ byte) * factor & MASK64
    return value


def counts(entries: Iterable[Entry]) -> tuple[int, int]:
    """How many elements entries need in the maps: (paths, networks)."""
    paths, networks = set(), set()
    for e in entries:
        if e.kind == "net":
            networks.add((e.value, e.bits))
        else:
            paths.add((e.kind, e.value))
    return len(paths), len(networks)


@dataclass(slots=True)
class _Bits:
    maybe: list[int]
    sure: list[int] = field(default_factory=list)


class Places:
    """Fills the maps of one loaded plan."""

    def __init__(
        self, *, rows: list[str], row_count: int, keys: Mapping[str, int], places: int, networks: int, bits: int, filter_map: int
    ) -> None:
        """`rows`: event types by row of the values; `places`, `networks`, `filter_map`: descriptors; `bits`: size of the filter."""
        self._row = {name: i for i, name in enumerate(rows)}
        self._rows = row_count
        self._seed, self._factor = keys["HASH_SEED"], keys["HASH_FACTOR"]
        self._places = Map(places, key_size=16, value_size=16 * row_count + 8 + TEXT)
        self._bits = bits
        self._filter = Map(filter_map, key_size=4, value_size=1 << (bits - 3))
        self._networks = Map(networks, key_size=24, value_size=8 * row_count)

    def fill(self, entries: Iterable[Entry], *, set_number: int) -> None:
        """Enters everything under a set's number; the kernel uses it from when that is its generation.

        What is there of other sets stays; `keep_only` removes it when no program reads it any more.
        """
        paths: dict[tuple[int, bytes], _Bits] = {}
        networks: dict[tuple[bytes, int], _Bits] = {}
        for e in entries:
            if e.event_type not in self._row:  # all its formulas are true
                continue
            row = self._row[e.event_type]
            if e.kind == "net":
                bits = networks.setdefault((_masked(e.value, e.bits), e.bits), _Bits([0] * self._rows))
            else:
                bits = paths.setdefault((KINDS[e.kind], e.value), _Bits([0] * self._rows, [0] * self._rows))
                if e.sure:
                    bits.sure[row] |= 1 << e.atom
            bits.maybe[row] |= 1 << e.atom
        present = 0
        for (kind, text), bits in paths.items():
            hash_ = path_hash(text, seed=self._seed, factor=self._factor)
            present |= self._bit(hash_)
            key = struct.pack("<QII", hash_, set_number, kind)
            head = struct.pack(f"<{2 * self._rows}QII", *bits.maybe, *bits.sure, len(text), 0)
            self._places.update(key, head + text[:COMPARED].ljust(TEXT, b"\0"))
        before = int.from_bytes(self._filter.lookup(bytes(4)) or b"", "little")
        self._write_filter(before | present)
        for (address, length), own in networks.items():
            # The kernel finds the longest prefix only: each holds what the shorter ones around it say as well.
            around = [b for (a, n), b in networks.items() if n <= length and _masked(address, n) == a]
            value = [0] * self._rows
            for b in (own, *around):
                value = [v | m for v, m in zip(value, b.maybe, strict=True)]
            key = struct.pack("<II16s", 32 + length, set_number, address)
            self._networks.update(key, struct.pack(f"<{self._rows}Q", *value))

    def _write_filter(self, bits: int) -> None:
        self._filter.update(bytes(4), bits.to_bytes(1 << (self._bits - 3), "little"))

    def _bit(self, hash_: int) -> int:
        return 1 << (hash_ >> (64 - self._bits))

    def keep_only(self, set_number: int) -> tuple[int, int]:
        """Removes what was entered under other numbers; how many paths and networks stay."""
        paths = networks = present = 0
        for key in self._places.keys():  # noqa: SIM118  no mapping
            hash_, number = struct.unpack_from("<QI", key)
            if number != set_number:
                self._places.delete(key)
            else:
                present |= self._bit(hash_)
                paths += 1
        for key in self._networks.keys():  # noqa: SIM118
            if struct.unpack_from("<I", key, 4)[0] != set_number:
                self._networks.delete(key)
            else:
                networks += 1
        self._write_filter(present)
        return paths, networks


def _masked(address: bytes, bits: int) -> bytes:
    """The address with the bits behind the prefix cleared."""
    keep = MASK128 << (128 - bits) & MASK128
    return (int.from_bytes(address, "big") & keep).to_bytes(16, "big")


MASK128: Final = (1 << 128) - 1
