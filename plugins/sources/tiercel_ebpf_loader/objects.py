"""Compiled programs: made by bcc, or read from the cache of an earlier compilation, and put into the kernel here.

Compiling takes ten times as long as all the rest of a load. The C of a plan has no secret and no generation in it (they are in a
map), so the same plan on the same kernel is the same text, and its hash names a file below `CACHE`, which is root's alone.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import stat
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import kernel

CACHE: Final = Path("/var/cache/tiercel")
CACHED: Final = 8
"""Files that are kept; the oldest go."""
DEBIAN_PACKAGES: Final = "/usr/lib/python3/dist-packages"  # where python3-bpfcc puts bcc; -S leaves it out of the path
LD_IMM64: Final = 0x18
PSEUDO_MAP_FD: Final = 1


class CompileError(Exception):
    """bcc is missing, or cannot compile; the message says how to get what is missing."""


@dataclass(frozen=True, slots=True)
class MapSpec:
    """How a map is created."""

    kind: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int


@dataclass(frozen=True, slots=True)
class Objects:
    """What a compilation gives: maps by name, and programs by name as instructions with the maps that they refer to by position."""

    maps: Mapping[str, MapSpec]
    programs: Mapping[str, tuple[bytes, Mapping[int, str]]]


def import_bcc() -> Any:
    """Debian's bcc.

    Raises:
        CompileError: it is not installed, or what is installed under its name is something else.
    """
    os.environ["BCC_KERNEL_SOURCE"] = str(Path(__file__).parent / "headers")
    if DEBIAN_PACKAGES not in sys.path:
        sys.path.append(DEBIAN_PACKAGES)
    try:
        import bcc
    except ImportError as e:
        raise CompileError(f"bcc: cannot be imported ({e}); install it with: apt-get install python3-bpfcc") from e
    if not hasattr(bcc, "BPF"):
        where = bcc.__file__ or next(iter(bcc.__path__))  # an empty directory imports as well
        raise CompileError(f"bcc: {where} is not the eBPF compiler; install Debian's: apt-get install python3-bpfcc")
    return bcc


def cflags() -> list[str]:
    """Flags for a compilation without kernel headers."""
    multiarch = sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu"
    include = Path("/usr/include")
    if not (include / "linux" / "bpf.h").exists():
        raise CompileError("/usr/include/linux/bpf.h: not found; install it with: apt-get install linux-libc-dev")
    return [f"-I{include}", f"-I{include / multiarch}", "-Wno-everything"]


def _spec(fd: int) -> MapSpec:
    """What the kernel says of a map (proc_pid_fdinfo)."""
    lines = Path(f"/proc/self/fdinfo/{fd}").read_text().splitlines()
    info = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    numbers = (int(info[n], 0) for n in ("map_type", "key_size", "value_size", "max_entries", "map_flags"))
    return MapSpec(*numbers)


def _relocatable(code: bytes, names: Mapping[int, str]) -> tuple[bytes, dict[int, str]]:
    """Instructions with the descriptors of maps taken out, and where which map belongs."""
    out, places = bytearray(code), {}
    for at in range(0, len(code), 8):
        if code[at] == LD_IMM64 and code[at + 1] >> 4 == PSEUDO_MAP_FD:
            places[at] = names[int.from_bytes(code[at + 4 : at + 8], "little")]
            out[at + 4 : at + 8] = bytes(4)
    return bytes(out), places


def compile_text(text: str, programs: Iterable[str]) -> Objects:
    """Compiles with bcc.

    Raises:
        CompileError: bcc is missing or refuses.
    """
    flags, bcc = cflags(), import_bcc()
    try:
        bpf = bcc.BPF(text=text, cflags=flags)
    except Exception as e:  # bcc knows no other
        raise CompileError(f"bcc: {e}; its messages are above") from e
    lib, module = bcc.lib, bpf.module
    lib.bpf_table_name.restype = ctypes.c_char_p  # bcc's own bindings leave these two out
    lib.bpf_table_name.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    names = {}
    for number in range(lib.bpf_num_tables(module)):
        names[int(lib.bpf_table_fd_id(module, number))] = lib.bpf_table_name(module, number).decode()
    return Objects({name: _spec(fd) for fd, name in names.items()}, {name: _relocatable(bpf.dump_func(name), names) for name in programs})


def get(text: str, programs: Iterable[str]) -> Objects:
    """The objects of a text: from the cache, or compiled and put there."""
    path = CACHE / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
    found = _read(path)
    if found is None:
        found = compile_text(text, programs)
        _write(path, found)
    return found


def forget(text: str) -> None:
    """Drops a text from the cache: what was there did not load."""
    (CACHE / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json").unlink(missing_ok=True)


def _read(path: Path) -> Objects | None:
    try:
        folder = os.lstat(path.parent)
        if folder.st_uid != 0 or folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or not stat.S_ISDIR(folder.st_mode):
            return None
        data = json.loads(path.read_text())
        os.utime(path)
        return Objects(
            {n: MapSpec(*m) for n, m in data["maps"].items()},
            {n: (bytes.fromhex(p[0]), {int(k): v for k, v in p[1].items()}) for n, p in data["programs"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, objects: Objects) -> None:
    """Best effort: without a cache the next start compiles again."""
    maps = {n: [m.kind, m.key_size, m.value_size, m.max_entries, m.flags] for n, m in objects.maps.items()}
    data = {"maps": maps, "programs": {n: [code.hex(), places] for n, (code, places) in objects.programs.items()}}
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(data))
        temporary.rename(path)
        old = sorted(path.parent.glob("*.json"), key=lambda p: p.stat().st_mtime)[:-CACHED]
        for each in old:
            each.unlink()
    except OSError as e:
        print(f"tiercel: {path.parent}: not written ({e.strerror}); the next start compiles again", file=sys.stderr)


class Loaded:
    """Maps and programs of one load; what is inherited takes the place of the map of that name."""

    def __init__(self, objects: Objects, inherited: Mapping[str, int], *, sizes: Mapping[str, int]) -> None:
        """Creates the maps; `sizes` are entries of those that the C leaves without a size."""
        self._objects = objects
        self.maps = dict(inherited)
        for name, m in objects.maps.items():
            if name not in self.maps:
                self.maps[name] = kernel.create_map(
                    name, kind=m.kind, key_size=m.key_size, value_size=m.value_size,
                    max_entries=sizes.get(name, m.max_entries), flags=m.flags,
                )  # fmt: skip

    def program(self, name: str, *, iterator_btf_id: int = 0) -> int:
        """Loads a program; an iterator's needs the BTF id of what it iterates over."""
        code, places = self._objects.programs[name]
        patched = bytearray(code)
        for at, map_name in places.items():
            patched[at + 4 : at + 8] = self.maps[map_name].to_bytes(4, "little")
        if iterator_btf_id:
            return kernel.load_program(
                name, bytes(patched), kind=kernel.TRACING, attach_type=kernel.TRACE_ITER, attach_btf_id=iterator_btf_id
            )
        return kernel.load_program(name, bytes(patched), kind=kernel.RAW_TRACEPOINT)

    def set(self, map_name: str, index: int, value: bytes) -> None:
        """Sets an element of an array."""
        kernel.update(self.maps[map_name], index.to_bytes(4, "little"), value)
