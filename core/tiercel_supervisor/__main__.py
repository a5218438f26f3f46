"""``tiercel`` for root: ``run`` under supervision, every other command as the sensor's user, both with the broker at hand.

Run as ``python -I -S .../tiercel_supervisor/__main__.py ARGUMENTS``; the launcher script does so.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NoReturn

HERE: Final = Path(__file__).resolve().parent
SITE: Final = HERE.parent
sys.path.insert(0, str(HERE))  # -I leaves the script's own directory out of the path

from broker import Broker, Grant  # noqa: E402
from commands import starts_sensor  # noqa: E402
from loaders import Loaders  # noqa: E402
from notify import notify  # noqa: E402
from sensor import USER, account, spawn  # noqa: E402

CONFIG: Final = "/etc/tiercel/tiercel.yaml"
STATISTICS: Final = Path("/run/tiercel/statistics.json")
JOURNAL_BYTES: Final = 4 << 20
READ_OPTIONS: Final = ("-r", "--rules", "-c", "--config", "-V", "--validate")
APPEND_OPTIONS: Final = ("--output-file",)
WRITING: Final = {"record": ("-o", "--output"), "config": ("--output",)}
"""Options of single commands that name a new file to write."""
FORWARDED: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
MAX_QUICK_DEATHS: Final = 5
QUICK_DEATH_SECONDS: Final = 10.0


def fail(message: str) -> NoReturn:
    """One clean line, exit code 2."""
    print(f"tiercel: {message}", file=sys.stderr)
    sys.exit(2)


def named_paths(arguments: list[str]) -> tuple[list[str], dict[str, str], str | None]:
    """(paths to read, paths to write with their modes, configuration file) that the command line names."""
    reads: list[str] = []
    writes: dict[str, str] = {}
    modes = dict.fromkeys(APPEND_OPTIONS, "append") | dict.fromkeys(WRITING.get("".join(arguments[:1]), ()), "new")
    options = (*READ_OPTIONS, *modes)
    config = None
    previous = ""
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if previous:
            option, value, previous = previous, argument, ""
        elif argument in options:
            previous = argument
            continue
        elif argument[:2] in options:  # -cPATH
            option, value = argument[:2], argument[2:]
        elif not (equals and option.startswith("--")):
            option, value = "", argument
        if option in ("-c", "--config"):
            config = value
        if option in modes:
            if value != "-":
                writes[value] = modes[option]
        elif option in READ_OPTIONS or (not option and os.path.exists(value)):
            reads.append(value)
    return reads, writes, config


class NotGranted(Exception):
    """The configuration's grants cannot be read, or are not valid; the message is one line."""


def grants_of(arguments: list[str]) -> tuple[dict[str, Grant], tuple[str, ...], tuple[str, ...]]:
    """Files, loaders and variables of the environment that the command line and the configuration grant.

    Raises:
        NotGranted: the configuration's cannot be had.
    """
    reads, writes, config = named_paths(arguments)
    command = [sys.executable, "-I", "-S", str(HERE / "grants.py"), os.path.abspath(config or CONFIG)]
    child = subprocess.run(command + ["optional"] * (config is None), capture_output=True, text=True, check=False)
    if child.returncode:
        raise NotGranted(child.stderr.strip().splitlines()[-1] if child.stderr.strip() else f"{config or CONFIG}: cannot be read")
    section = json.loads(child.stdout)
    files = {name: Grant(g["path"], g["mode"]) for name, g in section["files"].items()}
    reads += [path for path in section["read"] if path not in map(os.path.abspath, reads)]
    for path in reads:
        real = os.path.realpath(path)
        names = [""] if not os.path.isdir(real) else [f"/{n}" for n in sorted(os.listdir(real)) if n.endswith((".yaml", ".yml"))]
        for name in names:
            files[f"read:{os.path.abspath(path)}{name}"] = Grant(os.path.join(os.getcwd(), path) + name, "read", links=True)
    for path, mode in writes.items():
        folder, name = os.path.split(os.path.abspath(path))
        files[f"append:{os.path.abspath(path)}"] = Grant(os.path.join(os.path.realpath(folder), name), mode)
    return files, tuple(section["loaders"]), tuple(section["environment"])


def statistics(*, for_writing: bool) -> int:
    """Descriptor of the file with the counters of the running sensor.

    Everybody may read the file; the sensor writes through this, and reads what one before it wrote.
    """
    if not for_writing:
        return os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    STATISTICS.parent.mkdir(mode=0o755, exist_ok=True)
    return os.open(STATISTICS, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)


class Supervisor:
    """Keeps one sensor running."""

    def __init__(
        self, broker: Broker, command: list[str], uid: int, gid: int, environment: tuple[str, ...], *, arguments: list[str]
    ) -> None:
        """Starts nothing yet. Of the environment, the sensor gets the variables of these names too; `arguments` say what is granted."""
        self._broker, self._command = broker, command
        self._uid, self._gid = uid, gid
        self._environment = environment
        self._arguments = arguments
        self._stopping = False
        self._pid = 0

    def _signalled(self) -> None:
        for number in os.read(self._wakeup[0], 512):
            if number in FORWARDED:
                if number in (signal.SIGTERM, signal.SIGINT):
                    self._stopping = True
                    notify("STOPPING=1")
                if number == signal.SIGHUP:
                    self._grant()
                if self._pid:
                    os.kill(self._pid, number)

    def _grant(self) -> None:
        """Reads the grants again. Variables of the environment are for the next sensor: those of a process stay as they are."""
        try:
            files, loaders, self._environment = grants_of(self._arguments)
        except (NotGranted, OSError) as e:
            self._broker.keep_grants(str(e))  # the sensor says so, too
            print(f"tiercel: {e}; the grants stay as they are", file=sys.stderr)
        else:
            self._broker.grant(files, loaders)

    def _one_life(self, restarts: int, *, why: str = "", sensor: bool = True) -> int:
        """Runs one sensor, or another command, to its end; its wait status. `why` says how the sensor before it ended."""
        self._pid, channel = spawn(
            self._command, self._uid, self._gid, extra=self._environment, patient=sensor
        )  # fmt: skip
        poll = select.poll()
        poll.register(channel, select.POLLIN)
        poll.register(self._wakeup[0], select.POLLIN)
        try:
            self._broker.greet(channel, restarts, why)
            talking = True
            while True:
                for fd, _ in poll.poll(1000 if talking else 200):
                    if fd == self._wakeup[0]:
                        self._signalled()
                    elif not self._broker.serve(channel):
                        poll.unregister(channel)
                        talking = False
                self._broker.tidy()
                pid, status = os.waitpid(self._pid, os.WNOHANG)
                if pid:
                    return status
        except BrokenPipeError:
            return os.waitpid(self._pid, 0)[1]
        finally:
            self._pid = 0
            channel.close()

    def _catch_signals(self) -> None:
        self._wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wakeup[1], warn_on_full_buffer=False)
        for number in (*FORWARDED, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)

    def run_once(self) -> int:
        """One command as the sensor's user; its exit code."""
        self._catch_signals()
        code = os.waitstatus_to_exitcode(self._one_life(0, sensor=False))
        return code if code >= 0 else 128 - code

    def run(self) -> int:
        """Until the sensor ends by itself or is told to; the exit code."""
        self._catch_signals()
        quick = restarts = 0
        how = ""
        while True:
            born = time.monotonic()
            status = self._one_life(restarts, why=how)
            code = os.waitstatus_to_exitcode(status)
            if code in (0, 2) or self._stopping:
                return max(code, 0)
            quick = quick + 1 if time.monotonic() - born < QUICK_DEATH_SECONDS else 0
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            if quick >= MAX_QUICK_DEATHS:
                print(f"tiercel: the sensor {how}, the {quick}th time within seconds; giving up", file=sys.stderr)
                return 1
            restarts += 1
            notify(f"STATUS=the sensor {how}; restart {restarts}")
            print(f"tiercel: the sensor {how}; starting another (restart {restarts}), the kernel's ring goes on", file=sys.stderr)
            time.sleep(min(5.0, 0.05 * 2**quick))


def main(arguments: list[str]) -> int:
    """The exit code."""
    if os.geteuid() != 0:
        fail("the supervisor: must be started by root; use the command `tiercel`")
    user = account()
    if user is None:
        fail(f"user {USER!r}: not found; create it with: useradd --system --no-create-home --shell /usr/sbin/nologin {USER}")
    uid, gid = user
    try:
        files, granted, environment = grants_of(arguments) if arguments[:1] != ["status"] else ({}, (), ())  # works whatever they say
    except NotGranted as e:
        fail(str(e))
    running = starts_sensor(arguments)
    journal = os.memfd_create("tiercel-journal", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(journal, JOURNAL_BYTES)
    fcntl.fcntl(journal, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)  # its size is not the sensor's
    broker = Broker(files=files, loaders=Loaders(SITE, granted), uid=uid, gid=gid, gifts=(journal, statistics(for_writing=running)))
    command = [sys.executable, "-P", "-m", "tiercel", *arguments]
    supervisor = Supervisor(broker, command, uid, gid, environment, arguments=arguments)
    return supervisor.run() if running else supervisor.run_once()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
