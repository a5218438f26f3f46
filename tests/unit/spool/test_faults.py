"""The disk fails for real: full, damaged, locked, not writable. Alerts are delivered all the same, and what is lost is counted."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import lacking
from tests.unit.spool.conftest import Lab, alert, wait_for
from tiercel.spool import disk, recent
from tiercel.spool.database import NAME

MIB = 1 << 20


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(disk, "LONGEST_PAUSE", 0.1)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", folder], check=False, capture_output=True).returncode:
        lacking("needs root, to mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def numbers(first: int, last: int) -> list[str]:
    return [f"{number}" for number in range(first, last)]


class TestFull:
    def test_alerts_are_delivered_and_nothing_is_lost(self, small: Path) -> None:
        (small / "ballast").write_bytes(bytes(1_300_000))
        lab = Lab(small / "state").start()
        one, slow = lab.attach("one"), lab.attach("slow")
        for number in range(300):
            lab.put(alert(f"{number}", size=4000))
            assert lab.take(one) == [f"{number}"]
        assert "full" in lab.counters.problem
        assert lab.counters.unsaved > 0
        assert [rule for rule, _ in lab.reports] == ["spool failure"]
        assert "full" in lab.reports[0][1]
        (small / "ballast").unlink()
        wait_for(lambda: not lab.counters.problem)
        assert lab.counters.unsaved == 0
        assert lab.take_all(slow) == numbers(0, 300)
        lab.stop()
        reader = lab.start().attach("slow")
        assert (reader.behind, lab.counters.bytes) == (0, lab.counters.bytes)
        lab.stop()

    def test_what_neither_disk_nor_memory_can_hold_is_counted(self, small: Path) -> None:
        lab = Lab(small / "state").start(memory_bytes=MIB)
        slow = lab.attach("slow")
        for number in range(1500):
            lab.put(alert(f"{number}", size=4000))
        assert lab.counters.problem
        kept, lost = slow.behind, slow.evicted
        assert kept + lost == 1500
        assert lost > 800
        found = lab.take_all(slow)
        assert len(found) == kept
        assert found == sorted(found, key=int)
        assert found[-1] == "1499"
        assert any(rule == "spool eviction" and "memory is full" in message for rule, message in lab.reports)
        lab.stop()


class TestDamaged:
    @pytest.mark.parametrize("at", [0, 4096])
    def test_a_file_that_is_damaged_at_the_start_is_put_aside(self, lab: Lab, at: int) -> None:
        lab.start().attach("one")
        lab.put(*(alert(size=1000) for _ in range(50)))
        lab.stop()
        assert lab.folder is not None
        with (lab.folder / NAME).open("r+b") as file:
            file.seek(at)
            file.write(os.urandom(8192))
        reader = lab.start().attach("one")
        lab.put(alert("a"))
        assert lab.take_all(reader) == ["a"]
        assert lab.counters.problem == ""
        assert lab.counters.stored == 1
        assert any("damaged" in message for _, message in lab.reports)
        assert len([each for each in lab.folder.iterdir() if "damaged" in each.name]) >= 1

    def test_one_that_is_damaged_while_it_is_used_costs_what_was_only_there(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(recent, "MAX_ROWS", 20)
        one, slow = lab.start(fsync="never").attach("one"), lab.attach("slow")
        assert lab.folder is not None
        for number in range(60):  # more than SQLite holds in memory
            lab.put(*(alert(f"{number * 100 + each}", size=1000) for each in range(100)))
            assert len(lab.take_all(one)) == 100
        with (lab.folder / (NAME + "-wal")).open("r+b") as log, (lab.folder / NAME).open("r+b") as file:
            log.truncate(0)
            file.write(os.urandom(1 << 23))
        for number in range(6000, 6040):
            lab.put(alert(f"{number}", size=1000))
            assert lab.take(one) == [f"{number}"]
        found = []
        with contextlib.suppress(sqlite3.Error):
            found += lab.take_all(slow)
        wait_for(lambda: not lab.counters.problem)
        found += lab.take_all(slow)
        assert found[-20:] == numbers(6020, 6040)  # at least those in memory
        assert found == sorted(set(found), key=int)
        assert slow.evicted == 6040 - len(found) > 0
        assert slow.behind == 0
        lost = [message for rule, message in lab.reports if rule == "spool eviction"]
        assert lost == [f"alerts were removed before they were delivered, since the file was damaged: {slow.evicted} of output slow"]

    def test_only_a_few_damaged_files_are_kept(self, lab: Lab) -> None:
        assert lab.folder is not None
        for _ in range(4):
            lab.start()
            lab.stop()
            (lab.folder / NAME).write_bytes(os.urandom(10_000))
        lab.start()
        assert len([each for each in lab.folder.iterdir() if "damaged" in each.name]) == 2


class TestLocked:
    def test_alerts_go_on_while_another_program_holds_the_file(self, lab: Lab) -> None:
        one = lab.start().attach("one")
        assert lab.folder is not None
        lab.put(alert("a"))
        other = sqlite3.connect(lab.folder / NAME, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        lab.put(alert("b"), alert("c"))
        assert lab.take_all(one) == ["a", "b", "c"]
        assert "locked" in lab.counters.problem
        assert (lab.counters.stored, lab.counters.unsaved) == (1, 2)
        other.execute("ROLLBACK")
        other.close()
        wait_for(lambda: not lab.counters.problem)
        assert (lab.counters.stored, lab.counters.unsaved) == (3, 0)
        lab.stop()
        assert lab.start().attach("one").behind == 0

    def test_a_second_sensor_keeps_its_alerts_in_memory(self, lab: Lab) -> None:
        lab.start()
        second = Lab(lab.folder).start()
        reader = second.attach("one")
        second.put(alert("a"))
        assert second.take_all(reader) == ["a"]
        assert "another sensor uses it" in second.counters.problem
        second.stop()


class TestDirectory:
    def test_one_that_others_may_write_is_not_used(self, lab: Lab) -> None:
        assert lab.folder is not None
        lab.folder.mkdir()
        lab.folder.chmod(0o777)
        reader = lab.start().attach("one")
        lab.put(alert("a"))
        assert lab.take_all(reader) == ["a"]
        assert "others may write there" in lab.counters.problem
        assert list(lab.folder.iterdir()) == []

    def test_one_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        lab = Lab(tmp_path / "file" / "state").start()
        lab.put(alert("a"))
        assert "not made" in lab.counters.problem
        assert lab.counters.failures > 0
        lab.stop()

    def test_files_are_for_their_owner_alone(self, lab: Lab) -> None:
        lab.start()
        lab.put(alert("a"))
        assert lab.folder is not None
        assert {each.stat().st_mode & 0o077 for each in [lab.folder, *lab.folder.iterdir()]} == {0}
