"""Plugin files: who could change one decides whether it is run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit import distributions
from tiercel import PluginError
from tiercel.plugins import PluginHost, State, files

CODE = """
from dataclasses import dataclass
from tiercel import FieldType, field, hookimpl

@dataclass
class Known:
    name: str

@field("mine.length", type=FieldType.UINT64, inputs=("evt.num",), description="A number.")
def length(number):
    return number

@hookimpl
def tiercel_register_fields():
    return [length]
"""
USERS = frozenset({0, os.geteuid()})


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "etc"
    directory.mkdir(mode=0o755)
    path = directory / "mine.py"
    path.write_text(CODE)
    path.chmod(0o644)
    yield path
    for name in [name for name in sys.modules if name.startswith("tiercel_file_")]:
        del sys.modules[name]


def host_of(tmp_path: Path, *paths: Path, **options: list[str]) -> PluginHost:
    host = PluginHost(distributions=[distributions.tiercel_itself(tmp_path / "own", plugins=True)], paths=paths, **options)
    host.load()
    return host


def reason(path: Path) -> str:
    with pytest.raises(files.Untrusted) as caught:
        files.read(path, users=USERS)
    return str(caught.value)


def test_a_file_is_a_plugin(file: Path, tmp_path: Path) -> None:
    host = host_of(tmp_path, file)
    [plugin] = [plugin for plugin in host.plugins() if plugin.name == "mine"]
    assert (plugin.state, plugin.path, plugin.provides) == (State.LOADED, str(file), ("field mine.length",))
    assert host.fields().owners("mine.length") == (str(file),)
    assert "mine" not in sys.modules
    assert not (file.parent / "__pycache__").exists()


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_file_that_others_may_change_is_refused(file: Path, tmp_path: Path, mode: int) -> None:
    file.write_text("raise SystemExit('executed')")
    file.chmod(mode)
    [plugin] = host_of(tmp_path, file).problems()
    assert (plugin.name, plugin.state) == ("mine", State.REFUSED)
    assert plugin.reason == f"{file}: others may write there (got mode {mode:o}); try chmod go-w {file}"


def test_so_is_one_in_a_directory_that_others_may_change(file: Path) -> None:
    file.parent.chmod(0o777)
    assert reason(file) == f"{file.parent}: others may write there (got mode 777); try chmod go-w {file.parent}"
    file.parent.chmod(0o1777)  # sticky: nobody else can put another file in its place
    assert files.read(file, users=USERS) == CODE.encode()


def test_so_is_one_of_somebody_else(file: Path, as_root: None) -> None:
    os.chown(file, 12345, -1)
    assert "belongs to somebody else (got uid 12345, expected root" in reason(file)
    os.chown(file, 0, -1)
    os.chown(file.parent, 12345, -1)
    assert str(file.parent) in reason(file)
    assert files.read(file, users={0, 12345}) == CODE.encode()


def test_links_are_followed_and_the_way_is_looked_at(file: Path, tmp_path: Path) -> None:
    open_house = tmp_path / "open"
    open_house.mkdir()
    (open_house / "link.py").symlink_to("../etc/mine.py")
    (tmp_path / "first.py").symlink_to(open_house / "link.py")
    assert files.read(tmp_path / "first.py", users=USERS) == CODE.encode()
    open_house.chmod(0o777)
    assert reason(tmp_path / "first.py").startswith(f"{open_house}: others may write there")


def test_a_link_of_somebody_else_is_refused(file: Path, tmp_path: Path, as_root: None) -> None:
    tmp_path.joinpath("link.py").symlink_to(file)
    os.lchown(tmp_path / "link.py", 12345, -1)
    assert "a symbolic link of somebody else" in reason(tmp_path / "link.py")


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a.py").symlink_to("b.py")
    (tmp_path / "b.py").symlink_to("a.py")
    assert "too many symbolic links" in reason(tmp_path / "a.py")


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py", 0o644)
    assert "no regular file" in reason(tmp_path / "pipe.py")
    (tmp_path / "large.py").write_bytes(b"#" * (files.MAX_SIZE + 1))
    (tmp_path / "large.py").chmod(0o644)
    assert "too large" in reason(tmp_path / "large.py")
    [plugin] = host_of(tmp_path, tmp_path / "missing.py").problems()
    assert plugin.reason == f"{tmp_path}/missing.py: cannot be read: No such file or directory"
    [plugin] = host_of(tmp_path / "2", tmp_path / "no name.py").problems()
    assert plugin.reason.startswith(f"{tmp_path}/no name.py: no name of a plugin file")


@pytest.mark.parametrize(
    ("code", "words"), [("1/0", "ZeroDivisionError"), ("def", "SyntaxError"), ("\0", "null bytes"), ("raise SystemExit", "SystemExit")]
)
def test_what_cannot_be_executed(file: Path, tmp_path: Path, code: str, words: str) -> None:
    file.write_text(code)
    [plugin] = host_of(tmp_path, file).problems()
    assert plugin.state is State.FAILED
    assert words in plugin.reason
    assert not [name for name in sys.modules if name.startswith("tiercel_file_")]


def test_names_are_unique_and_can_be_denied(file: Path, tmp_path: Path) -> None:
    [plugin] = [plugin for plugin in host_of(tmp_path, file, deny=["mine"]).plugins() if plugin.name == "mine"]
    assert (plugin.state, plugin.path) == (State.DENIED, "")
    clash = file.with_name("evt.py")
    clash.write_text("")
    with pytest.raises(PluginError, match='plugin "evt": registered by both tiercel '):
        host_of(tmp_path / "2", clash)
    with pytest.raises(PluginError, match='plugin "mine": registered by both'):
        host_of(tmp_path / "3", file, file)
