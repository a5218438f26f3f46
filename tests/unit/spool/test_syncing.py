from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.spool.conftest import Lab, alert, wait_for
from tiercel.spool import keeper
from tiercel.spool.database import NAME
from tiercel.spool.syncing import Syncer


def test_what_was_written_is_forced_to_the_disk_at_the_end(tmp_path: Path) -> None:
    (tmp_path / (NAME + "-wal")).touch()
    syncer = Syncer(tmp_path / NAME, interval=60, force=True)
    syncer.written()
    syncer.stop()
    assert (syncer.syncs, syncer.failures) == (1, 0)


def test_nothing_is_forced_while_nothing_is_written(tmp_path: Path) -> None:
    syncer = Syncer(tmp_path / NAME, interval=0.001, force=True)
    assert (syncer.syncs, syncer.failures) == (0, 0)
    syncer.stop()


def test_a_failure_is_counted(tmp_path: Path) -> None:
    syncer = Syncer(tmp_path / NAME, interval=0.001, force=True)
    syncer.written()
    wait_for(lambda: syncer.failures == 1)
    syncer.stop()


def test_the_log_is_written_back_under_load(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it stays small, whatever the spool has to take without a pause."""
    monkeypatch.setattr(keeper, "CHORES_PAUSE", 0.05)
    lab.start().attach("one")
    assert lab.folder is not None
    log = lab.folder / (NAME + "-wal")
    sizes = []
    for _ in range(160):
        lab.put(*(alert(size=10_000) for _ in range(50)))
        sizes.append(log.stat().st_size)
    assert lab.counters.stored == 160 * 50
    assert max(sizes) < 64 << 20
    assert min(sizes[-80:]) <= 8 << 20


def test_a_log_that_was_long_does_not_stay_so(lab: Lab) -> None:
    lab.start(fsync_interval=0.01).attach("one")
    assert lab.folder is not None
    log = lab.folder / (NAME + "-wal")
    lab.put(*(alert(size=10_000) for _ in range(1500)))
    assert log.stat().st_size > 10 << 20

    def short() -> bool:
        lab.put(alert())
        return log.stat().st_size <= 4 << 20

    wait_for(short)


@pytest.mark.parametrize(("policy", "synchronous"), [("each", 2), ("interval", 1), ("never", 0)])
def test_every_policy_is_sqlites(lab: Lab, policy: str, synchronous: int) -> None:
    """FULL in WAL mode forces the log to the disk with each commit, NORMAL only before it is written back (sqlite.org/pragma.html)."""
    lab.start(fsync=policy)
    database = lab.spool._disk.database
    assert database is not None
    assert lab.spool.call(lambda: database._connection.execute("PRAGMA synchronous").fetchone()).result(5) == (synchronous,)
