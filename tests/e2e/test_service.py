"""The sensor as a service: systemd itself runs our unit, with all of its sandbox, and our logrotate file rotates what it writes."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import lacking
from tests.e2e.systemd import MANAGER, Systemd

pytestmark = pytest.mark.live

RULES = """\
- rule: File read
  desc: d
  condition: evt.type in (open, openat, openat2) and fd.name startswith "{folder}/watched/"
  output: read (file=%fd.name user=%user.name)
  priority: NOTICE
"""
CONFIG = """\
rules_files: [/etc/tiercel/rules.yaml]
outputs:
  file: {grant: alerts, format: json}
grants:
  alerts: {path: /var/log/tiercel/alerts.json, mode: append}
"""


@pytest.fixture
def systemd(installed: Path, repository: Path, folder: Path) -> Iterator[Systemd]:
    """A manager with our unit, our configuration, and nothing started."""
    if not MANAGER.exists():
        lacking(f"{MANAGER} is missing")
    unit = (repository / "core/tiercel/packaging/systemd/tiercel.service").read_text().replace("@bin@", str(installed))
    (folder / "watched").mkdir()
    manager = Systemd(folder, unit)
    try:
        manager.write("/etc/tiercel/rules.yaml", RULES.format(folder=folder))
        manager.write("/etc/tiercel/tiercel.yaml", CONFIG)
        yield manager
    finally:
        manager.stop()


def names(systemd: Systemd, path: str = "/var/log/tiercel/alerts.json") -> list[str]:
    """Names of the files whose opening a file of alerts tells of; what the sensor says of itself is left out."""
    alerts = [json.loads(line) for line in systemd.read(path).splitlines()]
    return [Path(alert["output_fields"]["fd.name"]).name for alert in alerts if alert["source"] == "syscall"]


def touch(folder: Path, name: str) -> None:
    """Opens a file that the rule watches."""
    (folder / "watched" / name).write_text("")


def status(pid: int, key: str) -> str:
    """A line of /proc/PID/status."""
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(f"{key}:")]
    return line.split(":")[1].strip()


def test_the_unit_detects_in_its_sandbox(systemd: Systemd, folder: Path) -> None:
    systemd.systemctl("start", "tiercel")  # returns when the sensor says that it watches
    touch(folder, "first")
    systemd.wait_for(lambda: names(systemd) == ["first"], "the alert", 15)
    pid = int(systemd.systemctl("show", "--property=MainPID", "--value", "tiercel"))
    assert int(status(pid, "CapEff"), 16) == 1 << 39 | 1 << 38 | 1 << 7 | 1 << 6 | 1 << 5  # bpf, perfmon, setuid, setgid, kill
    assert (status(pid, "NoNewPrivs"), status(pid, "Seccomp")) == ("1", "2")
    [sensor] = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert int(status(int(sensor), "CapEff"), 16) == 0
    for path in ("/etc/tiercel/x", "/usr/x", "/var/lib/x"):  # root or not, there is nothing to write to
        entered = ["nsenter", f"--target={pid}", "--mount", "touch", path]
        assert "Read-only file system" in subprocess.run(entered, capture_output=True, text=True, check=False).stderr
    systemd.systemctl("stop", "tiercel")
    assert systemd.systemctl("show", "--property=Result", "--value", "tiercel") == "success"


def test_a_cold_start_compiles_in_the_sandbox(systemd: Systemd, folder: Path) -> None:
    assert systemd.run("mount", "-t", "tmpfs", "cache", "/var/cache").returncode == 0
    systemd.systemctl("start", "tiercel")
    touch(folder, "first")
    systemd.wait_for(lambda: names(systemd) == ["first"], "the alert", 15)
    assert list(Path(f"/proc/{systemd.process.pid}/root/var/cache/tiercel").iterdir())


def test_it_reloads_in_its_sandbox(systemd: Systemd, folder: Path) -> None:
    systemd.systemctl("start", "tiercel")
    (folder / "other").mkdir()
    systemd.write("/etc/tiercel/rules.yaml", RULES.format(folder=folder).replace("/watched/", "/other/"))
    systemd.systemctl("reload", "tiercel")

    def seen() -> bool:
        (folder / "other/new").write_text("")
        return "new" in names(systemd)

    systemd.wait_for(seen, "the rules read again", 30)
    touch(folder, "old")
    (folder / "other/last").write_text("")
    systemd.wait_for(lambda: "last" in names(systemd), "the alert", 15)
    assert "old" not in names(systemd)
    assert "Tiercel internal: reloaded" in systemd.read("/var/log/tiercel/alerts.json")
    assert systemd.systemctl("show", "--property=NRestarts", "--value", "tiercel") == "0"


def test_a_mistake_is_not_tried_again(systemd: Systemd) -> None:
    systemd.write("/etc/tiercel/tiercel.yaml", "outputz: {}\n")
    assert systemd.run("systemctl", "--user", "start", "tiercel").returncode != 0
    assert "outputz" in systemd.read("/run/messages")
    assert systemd.systemctl("show", "--property=ActiveState,NRestarts,ExecMainStatus", "--value", "tiercel").split() == [
        "0",
        "2",
        "failed",
    ]


def test_logrotate_loses_nothing(systemd: Systemd, repository: Path, folder: Path) -> None:
    rotate = folder / "logrotate.conf"
    shutil.copy(repository / "core/tiercel/packaging/logrotate.conf", rotate)
    # The unit is a user manager's here.
    wrapper = folder / "bin/systemctl"
    wrapper.parent.mkdir()
    wrapper.write_text('#!/bin/sh\nexec /usr/bin/systemctl --user "$@"\n')
    wrapper.chmod(0o755)
    systemd.systemctl("start", "tiercel")
    expected = [f"n{number}" for number in range(1500)]

    def work() -> None:
        for name in expected:
            touch(folder, name)
            time.sleep(0.002)

    busy = threading.Thread(target=work)
    busy.start()
    for _ in range(3):
        systemd.wait_for(lambda: len(names(systemd)) > 100, "alerts in the file", 15)
        done = systemd.run(
            "logrotate", "--force", "--state", str(folder / "state"), str(rotate), PATH=f"{wrapper.parent}:/usr/sbin:/usr/bin:/sbin:/bin"
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    busy.join()
    systemd.wait_for(lambda: expected[-1] in names(systemd), "the last alert in the new file", 15)
    systemd.systemctl("stop", "tiercel")
    oldest = systemd.run("zcat", "/var/log/tiercel/alerts.json.3.gz", "/var/log/tiercel/alerts.json.2.gz")
    assert oldest.returncode == 0, oldest.stderr
    written = [Path(json.loads(line)["output_fields"]["fd.name"]).name for line in oldest.stdout.splitlines()]
    written += [*names(systemd, "/var/log/tiercel/alerts.json.1"), *names(systemd)]
    assert written == expected
    assert systemd.run("stat", "--format=%a %U", "/var/log/tiercel/alerts.json").stdout == "640 root\n"
