"""Paths of calls, from their texts."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.fspath import CallPaths, call_paths, clean_path, join_path

DIRECTORIES = {3: "/srv/data", 4: "/tmp/", 5: "/etc/passwd"}
ONE = {
    "open": ("fd", "name", ""), "creat": ("fd", "name", ""), "openat": ("fd", "name", "dirfd"), "openat2": ("fd", "name", "dirfd"),
    "open_by_handle_at": ("fd", "path", ""), "mkdir": ("res", "path", ""), "mkdirat": ("res", "path", "dirfd"),
    "rmdir": ("res", "path", ""), "unlink": ("res", "path", ""), "unlinkat": ("res", "name", "dirfd"), "chmod": ("res", "filename", ""),
    "fchmodat": ("res", "filename", "dirfd"), "chown": ("res", "path", ""), "lchown": ("res", "path", ""),
    "fchownat": ("res", "pathname", "dirfd"), "mknod": ("res", "path", ""), "mknodat": ("res", "path", "dirfd"),
    "umount": ("res", "name", ""), "umount2": ("res", "name", ""),
}  # fmt: skip
TWO = {
    "rename": ("oldpath", "", "newpath", ""), "renameat": ("oldpath", "olddirfd", "newpath", "newdirfd"),
    "renameat2": ("oldpath", "olddirfd", "newpath", "newdirfd"), "link": ("newpath", "", "oldpath", ""),
    "symlink": ("linkpath", "", "target", ""),
}  # fmt: skip


def paths(event_type: str, **parameters: object) -> CallPaths:
    return call_paths(event_type, parameters, cwd="/root/", path_of=DIRECTORIES.get)


@pytest.mark.parametrize("event_type", ONE)
def test_calls_on_one_path(event_type: str) -> None:
    result, text, directory = ONE[event_type]
    more: dict[str, object] = {directory: 3} if directory else {}
    base = "/srv/data" if directory else "/root"
    assert paths(event_type, **{result: 0, text: "a/../b"}, **more) == CallPaths(f"{base}/b", "a/../b")
    assert paths(event_type, **{result: 0, text: "/x//y/"}, **more) == CallPaths("/x/y", "/x//y/")
    assert paths(event_type, **{result: -13, text: "/x"}, **more) == CallPaths()
    assert paths(event_type, **{result: 0, text: "<NA>"}, **more) == CallPaths()
    assert paths(event_type, **{result: 0}, **more) == CallPaths()
    assert paths(event_type, **{text: "/x"}, **more) == CallPaths()
    if directory:
        assert paths(event_type, **{result: 0, text: "b", directory: -100}) == CallPaths("/root/b", "b")
        assert paths(event_type, **{result: 0, text: "b", directory: 99}) == CallPaths("<UNKNOWN>b", "b")
        assert paths(event_type, **{result: 0, text: "b"}) == CallPaths("<UNKNOWN>b", "b")


@pytest.mark.parametrize("event_type", TWO)
def test_calls_on_two_paths(event_type: str) -> None:
    source, source_directory, target, target_directory = TWO[event_type]
    more: dict[str, object] = {name: fd for name, fd in ((source_directory, 3), (target_directory, 4)) if name}
    found = paths(event_type, res=0, **{source: "a", target: "./b"}, **more)
    first, second = ("/srv/data/a", "/tmp/b") if more else ("/root/a", "/root/b")
    assert found == CallPaths(source=first, sourceraw="a", target=second, targetraw="./b")
    assert paths(event_type, res=-1, **{source: "a", target: "b"}, **more) == CallPaths()


def test_falcos_oddities() -> None:
    linked = paths("linkat", res=0, olddir=3, oldpath="a", newdir=4, newpath="b")
    assert linked == CallPaths(source="/root/b", sourceraw="b", target="/root/a", targetraw="a")
    linked = paths("symlinkat", res=0, target="../a", linkdirfd=4, linkpath="b")
    assert linked == CallPaths(source="/tmp/b", sourceraw="b", target="<UNKNOWN>../a", targetraw="../a")
    assert paths("symlinkat", res=0, target="/a/", linkdirfd=4, linkpath="b").target == "/a"


def test_descriptors_and_mounts() -> None:
    assert paths("fchmod", res=0, fd=5, mode=0o600) == CallPaths("/etc/passwd", "/etc/passwd")
    assert paths("fchown", res=0, fd=99) == paths("fchown", res=-1, fd=5) == CallPaths()
    mounted = paths("mount", res=0, dev="/dev/sr0", dir="mnt", type="iso9660")
    assert mounted == CallPaths(source="/dev/sr0", sourceraw="/dev/sr0", target="/root/mnt", targetraw="mnt")


def test_what_is_not_known() -> None:
    for name, path in {"a": "<UNKNOWN>a", "/a": "/a"}.items():
        assert call_paths("open", {"fd": 3, "name": name}, cwd=None, path_of=DIRECTORIES.get) == CallPaths(path, name)
    assert paths("connect", res=0, fd=3, name="/a") == CallPaths()


@given(st.text(alphabet="a./ é", max_size=30), st.text(alphabet="ab./", max_size=30))
def test_joined_paths_are_clean(directory: str, path: str) -> None:
    joined = join_path(f"/{directory}", path)
    assert joined.startswith("/")
    assert not joined.startswith("//")
    assert joined == clean_path(joined)
    assert posixpath.normpath(joined) == joined


@given(st.text(alphabet="a./", min_size=1, max_size=30))
def test_cleaning_agrees_with_the_library(path: str) -> None:
    library = posixpath.normpath(path)
    assert clean_path(path) == (library.removeprefix("/") if library.startswith("//") else library)
