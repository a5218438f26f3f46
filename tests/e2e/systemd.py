"""A real systemd that runs our unit on this host: its user manager, as root, in a mount namespace where `/run` and our directories are the
test's.

The same program sets up the sandbox as for system services. What differs for a user manager is said in a drop-in: two directories have
other places. Nothing of the host's systemd is asked, started or changed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

MANAGER = Path("/lib/systemd/systemd")
UNITS = Path("/usr/lib/systemd/user")
DROP_IN = """\
[Service]
# A user manager means $XDG_CONFIG_HOME by these.
ConfigurationDirectory=
LogsDirectory=
ReadWritePaths=/var/log/tiercel
StandardOutput=append:/run/alerts
StandardError=append:/run/messages
"""
START = """\
set -e
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/systemd/system /run/units
for directory in /etc/tiercel /var/log/tiercel; do
    [ ! -d "$directory" ] || mount -t tmpfs -o mode=755 tiercel "$directory"
done
# As tmpfiles.d makes it.
mount -t tmpfs -o mode=700,uid=tiercel,gid=tiercel tiercel /var/lib/tiercel
exec "$0" --user --log-target=console
"""


class Systemd:
    """One manager.

    Args:
        folder: where its messages go.
        unit: text of `tiercel.service`.
    """

    def __init__(self, folder: Path, unit: str) -> None:
        units = folder / "units"
        units.mkdir()
        for name in ("exit.target", "shutdown.target", "systemd-exit.service"):
            shutil.copy(UNITS / name, units)
        for name in ("basic.target", "default.target", "sysinit.target"):
            (units / name).write_text(f"[Unit]\nDescription={name}\n")
        (units / "tiercel.service").write_text(unit)
        (units / "tiercel.service.d").mkdir()
        (units / "tiercel.service.d/user.conf").write_text(DROP_IN)
        self._environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "XDG_RUNTIME_DIR": "/run", "XDG_CACHE_HOME": "/var/cache",
            "SYSTEMD_UNIT_PATH": str(units), "LC_ALL": "C.UTF-8",
        }  # fmt: skip
        self.log = folder / "systemd.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-c", START, str(MANAGER)],
                env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.wait_for(lambda: self.run("systemctl", "--user", "is-active", "default.target").returncode == 0, "the manager", 20)

    def run(self, *command: str, timeout: float = 60, **more: str) -> subprocess.CompletedProcess[str]:
        """Runs a command in the manager's mount namespace."""
        entered = ["nsenter", f"--target={self.process.pid}", "--mount", *command]
        return subprocess.run(
            entered, env=self._environment | more, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )  # fmt: skip

    def systemctl(self, *arguments: str) -> str:
        """Runs systemctl, which must succeed; its output."""
        done = self.run("systemctl", "--user", *arguments)
        assert done.returncode == 0, f"systemctl {arguments}: {done.stderr}{self.text()}"
        return done.stdout.strip()

    def read(self, path: str) -> str:
        """A file of the manager's namespace; empty if there is none."""
        file = Path(f"/proc/{self.process.pid}/root{path}")
        return file.read_text() if file.exists() else ""

    def write(self, path: str, text: str) -> None:
        """Writes a file of the manager's namespace."""
        Path(f"/proc/{self.process.pid}/root{path}").write_text(text)

    def text(self) -> str:
        """What was said by the manager and by the sensor."""
        return self.log.read_text() + self.read("/run/messages")

    def wait_for(self, condition: Callable[[], object], what: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"systemd ended: {self.log.read_text()}"
            assert time.monotonic() < end, f"waited {seconds} s for {what}: {self.text()}"
            time.sleep(0.05)

    def stop(self) -> None:
        """Stops the services, then the manager."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
