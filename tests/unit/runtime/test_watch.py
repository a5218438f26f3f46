"""The watch on real files; what editors and Kubernetes do to them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.runtime.asynchronous import asynchronous
from tiercel.runtime.watch import LONGEST, QUIET, Watch

PATIENCE = 10.0


class Seen:
    """A running watch, and how often it has called."""

    def __init__(self) -> None:
        self.calls = 0
        self.watch = Watch(self.called)
        self.happened = asyncio.Event()

    async def called(self) -> None:
        self.calls += 1
        self.happened.set()

    async def once(self) -> None:
        """Waits for one call, and that no other follows."""
        async with asyncio.timeout(PATIENCE):
            await self.happened.wait()
        await asyncio.sleep(3 * QUIET)
        assert self.calls == 1
        self.calls = 0
        self.happened.clear()

    async def never(self) -> None:
        await asyncio.sleep(4 * QUIET)
        assert self.calls == 0


@contextlib.asynccontextmanager
async def watching(*paths: Path) -> AsyncIterator[Seen]:
    seen = Seen()
    seen.watch.start(paths, since=time.time() + 1)
    await asyncio.sleep(2 * QUIET)
    assert seen.calls == 0
    yield seen
    await seen.watch.close()
    await seen.watch.close()


def in_place(path: Path) -> None:
    path.write_text("changed")


def renamed_over(path: Path) -> None:
    new = path.with_name("." + path.name + ".swp")
    new.write_text("changed")
    new.rename(path)


def moved_away_and_written(path: Path) -> None:
    path.rename(path.with_name(path.name + "~"))
    path.write_text("changed")


def same_size(path: Path) -> None:
    path.write_text("x" * path.stat().st_size)


CHANGES = [in_place, renamed_over, moved_away_and_written, same_size, Path.unlink]


@pytest.mark.parametrize("change", CHANGES)
@asynchronous
async def test_a_file(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "tiercel.yaml"
    path.write_text("before")
    async with watching(path) as seen:
        change(path)
        await seen.once()
        path.write_text("and again")  # the file is another one by now
        await seen.once()


@pytest.mark.parametrize("change", [*CHANGES, Path.touch])
@asynchronous
async def test_a_file_of_a_directory(tmp_path: Path, change: Callable[[Path], None]) -> None:
    (tmp_path / "rules").mkdir()
    path = tmp_path / "rules" / "a.yaml"
    path.write_text("before")
    async with watching(tmp_path / "rules") as seen:
        change(path)
        await seen.once()
        (tmp_path / "rules" / "b.yml").touch()
        await seen.once()


@asynchronous
async def test_other_files_beside_make_no_difference(tmp_path: Path) -> None:
    path = tmp_path / "tiercel.yaml"
    path.touch()
    (tmp_path / "rules").mkdir()
    async with watching(path, tmp_path / "rules") as seen:
        for other in (tmp_path / "other.yaml", tmp_path / "rules" / ".a.yaml.swp", tmp_path / "rules" / "notes"):
            other.write_text("x")
        path.read_text()
        await seen.never()


@asynchronous
async def test_what_is_not_there_yet(tmp_path: Path) -> None:
    async with watching(tmp_path / "tiercel.yaml", tmp_path / "config.d") as seen:
        (tmp_path / "config.d").mkdir()
        await seen.once()
        (tmp_path / "config.d" / "a.yaml").touch()
        await seen.once()
        (tmp_path / "tiercel.yaml").touch()
        await seen.once()


@asynchronous
async def test_a_directory_that_is_replaced(tmp_path: Path) -> None:
    for name, text in (("rules", "old"), ("new", "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.yaml").write_text(text)
    async with watching(tmp_path / "rules") as seen:
        (tmp_path / "rules").rename(tmp_path / "old")
        (tmp_path / "new").rename(tmp_path / "rules")
        await seen.once()
        (tmp_path / "rules" / "a.yaml").write_text("other")
        await seen.once()


@asynchronous
async def test_a_link_that_is_turned_as_kubernetes_does(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / "tiercel.yaml").write_text(str(number))
    (tmp_path / "..data").symlink_to("..1")
    path = tmp_path / "tiercel.yaml"
    path.symlink_to("..data/tiercel.yaml")
    async with watching(path) as seen:
        (tmp_path / "..data_tmp").symlink_to("..2")
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")
        await seen.once()
        (tmp_path / "..2" / "tiercel.yaml").write_text("3")  # behind the link
        await seen.once()


@asynchronous
async def test_a_file_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "tiercel.yaml"
    path.touch()
    async with watching(path) as seen:
        with path.open("w") as file:
            for _ in range(int(0.7 * LONGEST / QUIET * 2)):
                file.write("x")
                file.flush()
                await asyncio.sleep(QUIET / 2)
                assert seen.calls == 0
        await seen.once()


@asynchronous
async def test_what_changed_before_the_watch_began(tmp_path: Path) -> None:
    path = tmp_path / "tiercel.yaml"
    path.touch()
    seen = Seen()
    seen.watch.start([path], since=time.time() - 1)
    await seen.once()
    seen.watch.use([path], since=time.time() + 1)
    await seen.never()
    await seen.watch.close()


@asynchronous
async def test_a_clock_that_was_set_back_changes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tiercel.yaml"
    path.touch()
    before = time.time_ns() - 3600 * 10**9
    monkeypatch.setattr("tiercel.runtime.watch.time.time_ns", lambda: before)
    seen = Seen()
    seen.watch.start([path], since=before / 1e9 - 1)
    await seen.never()
    await seen.watch.close()


@asynchronous
async def test_other_files_from_now_on(tmp_path: Path) -> None:
    one, two = tmp_path / "1" / "one.yaml", tmp_path / "2" / "two.yaml"
    for path in (one, two):
        path.parent.mkdir()
        path.touch()
    async with watching(one) as seen:
        two.write_text("x")
        await seen.never()
        seen.watch.use([two], since=time.time() + 1)
        two.write_text("y" * 2)
        await seen.once()
        one.write_text("x")
        await seen.never()


@asynchronous
async def test_a_directory_that_may_not_be_read_is_told_once(as_nobody: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        async with watching(as_nobody / "closed" / "a.yaml") as seen:
            (as_nobody / "other").touch()
            await seen.never()
    assert caplog.text.count(f"{as_nobody}/closed: Permission denied: not watched; after a change there, use tiercel reload or SIGHUP") == 1


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A directory with one in it that may not be listed; root's tests go on as somebody else."""
    user, other = os.geteuid(), 65534
    with tempfile.TemporaryDirectory(prefix="tiercel-watch-", dir="/tmp") as path:
        folder = Path(path)
        folder.chmod(0o777)
        (folder / "closed").mkdir(mode=0o311)
        if user == 0:
            os.seteuid(other)
        yield folder
        os.seteuid(user)
