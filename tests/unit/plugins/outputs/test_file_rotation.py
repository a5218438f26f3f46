"""Files of the sensor's own, which rotate; and what paths can be instead of files."""

from __future__ import annotations

import asyncio
import gzip
import os
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins.outputs.servers import program
from tests.unit.plugins.outputs.support import Granting, Numbers, alert, context
from tiercel import Context, Retry, UserError
from tiercel.config.schema import with_defaults
from tiercel.runtime.host import DirectHost
from tiercel_file import File
from tiercel_file.rotation import Rotation, moved_name, tidy

HOUR = 3600


def made(path: Path, width: int = 4, **rotate: Any) -> File:
    options: dict[str, Any] = {"path": str(path), "format": "numbers"} | ({"rotate": rotate} if rotate else {})
    built = Context("file/x", "web1", Granting(path.parent), {"numbers": Numbers(width)})
    return File.from_config(with_defaults(File.config_schema, options), built)


def running(output: File, check: Callable[[File], Awaitable[object]]) -> None:
    async def main() -> None:
        await output.open()
        try:
            await check(output)
            if output._chore is not None:
                await output._chore
        finally:
            await output.close()

    asyncio.run(main())


def old(path: Path) -> list[Path]:
    """Predecessors, the oldest first."""
    return sorted(path.parent.glob(path.name + ".*"))


def content(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data)
    return zstandard.ZstdDecompressor().decompressobj().decompress(data) if path.suffix == ".zst" else data


def numbers(*paths: Path) -> list[int]:
    return [int(line) for path in paths for line in content(path).splitlines()]


@pytest.mark.parametrize(("compression", "suffix"), [("none", "Z"), ("gzip", ".gz"), ("zstd", ".zst")])
def test_files_have_a_size(tmp_path: Path, compression: str, suffix: str) -> None:
    path = tmp_path / "alerts.json"

    async def check(output: File) -> None:
        for first in range(1, 400, 40):  # 1010 bytes a line, 99 lines a file
            await output.deliver([alert(n) for n in range(first, first + 40)])
        assert output.counters() == {"rotated": 4, "not_rotated": 0, "reopened": 0}

    running(made(path, width=1009, max_size_mb=0.1, compression=compression), check)
    assert all(len(content(each)) <= 100_000 for each in (path, *old(path)))
    assert [each.name.endswith(suffix) for each in old(path)] == [True] * 4
    assert numbers(*old(path), path) == list(range(1, 401))
    assert {each.stat().st_mode & 0o777 for each in (path, *old(path))} == {0o640}


def test_a_batch_may_be_larger_than_a_file_and_a_line_too(tmp_path: Path) -> None:
    path = tmp_path / "alerts.json"
    running(made(path, width=3000, max_size_mb=0.01), lambda output: output.deliver([alert(n) for n in range(1, 11)]))
    running(made(path, width=4000 * 4, max_size_mb=0.01), lambda output: output.deliver([alert(n) for n in range(11, 14)]))
    assert [len(each.read_bytes().splitlines()) for each in (*old(path), path)] == [3, 3, 3, 1, 1, 1, 1]
    lines = [line for each in (*old(path), path) for line in each.read_bytes().splitlines()]
    assert [line.lstrip(b"0") for line in lines] == [b"%d" % n for n in range(1, 14)]


def test_files_have_a_period(tmp_path: Path) -> None:
    path = tmp_path / "alerts.json"
    path.write_text("0001\n")
    yesterday = time.time() - 24 * HOUR
    os.utime(path, (yesterday, yesterday))
    running(made(path, every_hours=24), lambda output: output.deliver([alert(2)]))
    running(made(path, every_hours=8760), lambda output: output.deliver([alert(3)]))
    assert (numbers(*old(path)), numbers(path)) == ([1], [2, 3])


@pytest.mark.parametrize(
    ("modified", "now", "hours", "over"), [(0, HOUR - 1, 1, False), (HOUR - 1, HOUR, 1, True), (5, HOUR * 24, 24, True), (0, 1e9, 0, False)]
)
def test_periods_begin_at_midnight(modified: float, now: float, hours: int, over: bool) -> None:
    assert Rotation(1, hours * HOUR, 1, "none").is_over(modified, now) is over


def test_so_many_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "alerts.json"
    (tmp_path / "alerts.json.bak").write_text("not ours")
    (tmp_path / "other.json.20200101T000000.000000Z").write_text("not ours")
    (tmp_path / "alerts.json.20200101T000000.000000Z").write_text("0000\n")
    running(
        made(path, width=6000, max_size_mb=0.01, keep=2, compression="zstd"), lambda output: output.deliver([alert(n) for n in range(1, 6)])
    )
    kept = old(path)
    assert [each.suffix for each in kept] == [".zst", ".zst", ".bak"]
    assert [content(each).strip().lstrip(b"0") for each in (*kept[:2], path)] == [b"3", b"4", b"5"]
    assert (tmp_path / "other.json.20200101T000000.000000Z").exists()


def test_what_was_begun_is_taken_up(tmp_path: Path) -> None:
    path = tmp_path / "alerts.json"
    stamps = [f"{path}.2020010{day}T000000.000000Z" for day in range(1, 4)]
    Path(stamps[0]).write_text("0001\n")
    Path(stamps[0] + ".gz.tmp").write_bytes(b"half")  # killed while it compressed
    Path(stamps[1]).write_text("0002\n")
    Path(stamps[1] + ".gz").write_bytes(gzip.compress(b"0002\n"))  # killed before it removed the original
    Path(stamps[2] + ".zst").write_bytes(zstandard.compress(b"0003\n"))  # compressed otherwise then
    running(made(path, max_size_mb=1, compression="gzip"), lambda output: output.deliver([alert(4)]))
    assert [each.name[-4:] for each in old(path)] == ["Z.gz", "Z.gz", ".zst"]
    assert numbers(*old(path), path) == [1, 2, 3, 4]


def test_compression_ends_early_and_loses_nothing(tmp_path: Path) -> None:
    path, stop = tmp_path / "alerts.json", threading.Event()
    first = Path(f"{path}.20200101T000000.000000Z")
    first.write_bytes(os.urandom(1 << 20) * 8)

    class Looked(threading.Event):
        looks = 0

        def is_set(self) -> bool:
            self.looks += 1
            return self.looks > 3

    tidy(path, Rotation(1, 0, 5, "gzip"), Looked())
    assert old(path) == [first]
    assert first.stat().st_size == 8 << 20
    tidy(path, Rotation(1, 0, 5, "gzip"), stop)
    assert [each.suffix for each in old(path)] == [".gz"]


@given(st.lists(st.integers(0, 10**18), min_size=2, max_size=2, unique=True))
def test_names_sort_by_time(tmp_path_factory: pytest.TempPathFactory, times: list[int]) -> None:
    path = tmp_path_factory.getbasetemp() / "nothing" / "a"
    first, second = sorted(time // 1000 for time in times)
    assert (moved_name(path, first * 1000).name < moved_name(path, second * 1000).name) is (first < second)


def test_names_are_not_taken_twice(tmp_path: Path) -> None:
    first = moved_name(tmp_path / "a", 5_000)
    first.with_name(first.name + ".zst").touch()
    assert moved_name(tmp_path / "a", 5_000) == moved_name(tmp_path / "a", 6_000) != first


def test_a_file_that_cannot_be_rotated_grows_on(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "alerts.json"

    def refused(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    async def check(output: File) -> None:
        monkeypatch.setattr(Path, "rename", refused)
        await output.deliver([alert(1)])
        await output.deliver([alert(2)])
        assert output.counters()["not_rotated"] == 1

    running(made(path, width=6000, max_size_mb=0.01), check)
    assert len(path.read_bytes().splitlines()) == 2
    assert "not rotated: Permission denied; it grows on" in caplog.text


@pytest.fixture
def small_disk(tmp_path: Path, as_root: None) -> Iterator[Path]:
    """64 KiB of memory as a file system."""
    directory = tmp_path / "disk"
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(directory)], check=True)
    yield directory
    subprocess.run(["umount", str(directory)], check=True)


@pytest.mark.parametrize("granted", [False, True])
def test_a_disk_that_is_full(small_disk: Path, granted: bool) -> None:
    path = small_disk / "alerts"
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 16384)
    batches = [[alert(n) for n in range(first, first + 10)] for first in range(1, 101, 10)]

    async def check(output: File) -> None:
        failed = 0
        for batch in batches:
            while True:
                try:
                    await output.deliver(batch)
                    break
                except Retry as error:
                    assert str(error).endswith("No space left on device")
                    assert path.read_bytes().endswith(b"\n"), "no half a line is left"
                    failed += 1
                    assert failed < 3
                    filler.unlink()
        assert failed == 1

    built = Context("file/x", "web1", Granting(small_disk), {"numbers": Numbers(599)})
    options = {"grant": "alerts"} if granted else {"path": str(path)}
    running(File.from_config({"format": "numbers", **options}, built), check)
    assert numbers(path) == list(range(1, 101))


def test_a_full_disk_keeps_files_uncompressed(small_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = small_disk / "alerts"

    async def check(output: File) -> None:
        path.write_bytes(os.urandom(20_000).hex().encode() + b"\n")  # 20 KB compressed, of 24 that there are
        await output.deliver([alert(1)])
        assert output._chore is not None
        await output._chore
        assert output.counters()["not_rotated"] == 1

    (small_disk / "filler").write_bytes(b"x" * 16384)
    running(made(path, max_size_mb=0.01, compression="gzip"), check)
    assert numbers(path) == [1]
    assert [each.stat().st_size for each in old(path)] == [40_001]
    assert "No space left on device" in caplog.text


def test_others_may_move_the_file(tmp_path: Path) -> None:
    """As logrotate does, without telling."""
    path = tmp_path / "alerts"

    async def check(output: File) -> None:
        await output.deliver([alert(1)])
        path.rename(tmp_path / "moved")
        begun = time.monotonic()
        await output.deliver([alert(2)])
        assert time.monotonic() - begun > 0.5, "logrotate had time to make a file of its own"
        path.unlink()
        os.utime(tmp_path / "moved")
        await output.deliver([alert(3)])
        assert output.counters()["reopened"] == 2

    running(made(path), check)
    assert (numbers(tmp_path / "moved"), numbers(path)) == ([1], [3])


def test_a_file_that_was_moved_and_cannot_be_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "alerts"

    async def check(output: File) -> None:
        path.rename(tmp_path / "moved")
        path.mkdir()
        with pytest.raises(Retry, match=r"was moved away: .*alerts: not opened: it is a directory"):
            await output.deliver([alert(1)])
        path.rmdir()
        await output.deliver([alert(1)])

    running(made(path), check)
    assert (numbers(tmp_path / "moved"), numbers(path)) == ([], [1])


def test_real_logrotate_and_nobody_told_us(tmp_path: Path, as_root: None) -> None:
    path, configuration = tmp_path / "alerts", tmp_path / "conf"
    tmp_path.chmod(0o755)
    configuration.write_text(f"{path} {{\n rotate 3\n create 0640 root root\n}}\n")
    configuration.chmod(0o644)

    async def check(output: File) -> None:
        await output.deliver([alert(1)])
        await asyncio.to_thread(subprocess.run, [program("logrotate"), "-f", "-s", str(tmp_path / "state"), str(configuration)], check=True)
        await output.deliver([alert(2)])

    running(made(path), check)
    assert (numbers(tmp_path / "alerts.1"), numbers(path)) == ([1], [2])


def test_half_a_line_of_a_killed_process_is_removed(tmp_path: Path) -> None:
    granted = Context("file", "", DirectHost({"alerts": (str(tmp_path / "alerts"), "append")}), {"numbers": Numbers()})
    for before, after in (("", []), ("0001\n00", [1]), ("00", []), ("0001\n", [1]), ("0" * 100_000 + "\n0", [0])):
        (tmp_path / "alerts").write_text(before)
        running(made(tmp_path / "alerts"), lambda output: output.deliver([alert(2)]))
        first = (tmp_path / "alerts").read_text()
        (tmp_path / "alerts").write_text(before)
        running(File.from_config({"grant": "alerts", "format": "numbers"}, granted), lambda output: output.deliver([alert(2)]))
        assert (tmp_path / "alerts").read_text() == first
        lines = (tmp_path / "alerts").read_text().splitlines()
        assert [line.lstrip("0") or "0" for line in lines] == [str(n) for n in [*after, 2]]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.mkdir(), "it is a directory"),
        (os.mkfifo, "it is a fifo or a device"),
        (lambda path: path.symlink_to("/dev/null"), "a symbolic link is in its place"),
        (lambda path: path.parent.rmdir(), "its directory is not there"),
    ],
)
def test_what_is_no_file(tmp_path: Path, make: Callable[[Path], None], reason: str) -> None:
    (tmp_path / "a").mkdir()
    make(tmp_path / "a" / "alerts")
    before = os.listdir("/proc/self/fd")
    with pytest.raises(UserError, match=f"{tmp_path}/a/alerts: not opened: {reason}"):
        asyncio.run(made(tmp_path / "a" / "alerts").open())
    assert len(os.listdir("/proc/self/fd")) == len(before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"x: the file is named by grant or by path \(got none of them\)"),
        ({"grant": "a", "path": "/a"}, "got both of them"),
        ({"grant": "a", "rotate": {"max_size_mb": 1}}, "x: rotate is for path"),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        File.from_config(with_defaults(File.config_schema, {"format": "numbers", **options}), context(Path("/nonexistent")))
