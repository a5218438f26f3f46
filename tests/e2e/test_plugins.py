"""Plugins of strangers in a running sensor: what they read is collected, what they break is named, and none of their code is ever root."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Sensor

pytestmark = [pytest.mark.live, pytest.mark.slow]

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]
LAUNCHER = "core/launcher/tiercel"
HOSTILE = """
from tiercel import FieldType, Output, Stability, field, hookimpl


@field("hostile.bad", type=FieldType.UINT64, inputs=("proc.pid",), description="Raises.")
def bad(pid):
    raise ZeroDivisionError("as it likes")


class Broken(Output):
    name = "broken"
    summary = "Raises."
    api_version = "1.0"
    stability = Stability.EXPERIMENTAL

    async def open(self):
        pass

    async def deliver(self, batch):
        raise KeyError("as it likes")

    async def close(self):
        pass


@hookimpl
def tiercel_register_fields():
    return [bad]


@hookimpl
def tiercel_register_outputs():
    return [Broken]
"""
PTH = "import os; open({mark!r} + str(os.getuid()), 'w').close()\n"
"""A line of a .pth file that starts with ``import`` is executed at every start of Python (site(7) of its documentation)."""


class Scratch:
    """An installation of its own, made like the real one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "venv/bin"
        self.site = folder / "venv/lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"

    def install(self, project: Path) -> None:
        with tempfile.TemporaryDirectory() as wheels:
            command: list[str | Path] = [*PIP, "wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, project]
            subprocess.run(command, check=True)
            (wheel,) = Path(wheels).glob("*.whl")
            subprocess.run([*PIP, "install", "--no-index", "--no-deps", "--target", self.site, "--upgrade", wheel], check=True)


@pytest.fixture(scope="module")
def scratch(installed: Path, live_kernel: None, repository: Path) -> Iterator[Scratch]:
    folder = Path(tempfile.mkdtemp(prefix="tiercel-scratch-", dir="/var/lib"))
    folder.chmod(0o755)
    made = Scratch(folder)
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", "--system-site-packages", folder / "venv"], check=True)
    made.install(repository)
    shutil.copy(repository / LAUNCHER, made.bin / "tiercel")
    (made.bin / "tiercel").chmod(0o755)
    # The libraries of the real installation, behind the scratch one's own packages.
    (made.site / "zz-libraries.pth").write_text(f"{installed.parent / 'lib' / made.site.parent.name / 'site-packages'}\n")
    made.install(repository / "tests/thirdparty/tiercel_demo")
    hostile = folder / "hostile"
    hostile.mkdir()
    (hostile / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "tiercel-hostile"\nversion = "1.0"\n'
        '[project.entry-points.tiercel]\nhostile = "tiercel_hostile"\n'
        '[tool.hatch.build.targets.wheel]\nonly-include = ["tiercel_hostile.py", "hostile.pth"]\n'
    )
    (hostile / "tiercel_hostile.py").write_text(HOSTILE)
    (folder / "marks").mkdir(mode=0o777)
    (folder / "marks").chmod(0o777)
    (hostile / "hostile.pth").write_text(PTH.format(mark=f"{folder}/marks/uid-"))
    made.install(hostile)
    yield made
    shutil.rmtree(folder)


RULES = """
- rule: depth
  desc: made by a test
  condition: evt.type in (open, openat) and fd.name = {folder}/watched and demo.exe_depth = {depth}
  output: seen file=%fd.name depth=%demo.exe_depth
  priority: NOTICE
- rule: bad field
  desc: made by a test
  condition: evt.type in (open, openat) and fd.name = {folder}/watched and hostile.bad = 1
  output: never
  priority: NOTICE
- rule: after it
  desc: made by a test
  condition: evt.type in (open, openat) and fd.name = {folder}/watched
  output: seen file=%fd.name bad=%hostile.bad
  priority: NOTICE
"""


@pytest.fixture
def run(scratch: Scratch, folder: Path) -> Iterator[Callable[..., Sensor]]:
    running: list[Sensor] = []

    def start(rules: str, **more: str) -> Sensor:
        made = Sensor(scratch.bin, Path(tempfile.mkdtemp(prefix="run-", dir=folder)), rules, **more)  # type: ignore[arg-type]
        made.folder.chmod(0o755)
        running.append(made)
        return made.start()

    yield start
    for made in running:
        made.stop()


def test_strangers_in_a_running_sensor(scratch: Scratch, run: Callable[..., Sensor], folder: Path) -> None:
    reader = folder / "reader"
    shutil.copy("/bin/cat", reader)
    depth = str(reader).count("/") - 1
    config = "outputs:\n  stdout: {format: json}\n  broken: {}\nrule_matching: all\n"
    running = run(RULES.format(folder=folder, depth=depth), config=config)
    (folder / "watched").write_text("x")
    subprocess.run([reader, folder / "watched"], check=True)
    (alert,) = running.expect("depth")
    assert alert["output_fields"]["demo.exe_depth"] == depth, "collected, though no rule names proc.exepath"
    assert len(running.expect("after it", count=2)) == 2, "a field that raises stops no other rule"
    for _ in range(6):
        (folder / "watched").write_text("x")
        running.settle(0.3)
    text = running.stop()
    assert not any(a["rule"] == "bad field" for a in running.alerts)
    assert "field syscall:hostile.bad of tiercel-hostile 1.0: failed" in text
    assert "ZeroDivisionError" in text
    assert "output broken: KeyError: 'as it likes'" in text
    assert (
        "output broken of tiercel-hostile 1.0 failed 3 times: KeyError: 'as it likes'; it is tried again in 30 s, its alerts wait" in text
    )
    # The stranger's .pth ran, but never as root.
    uids = {int(mark.name.removeprefix("uid-")) for mark in (scratch.folder / "marks").iterdir()}
    assert uids, "the test looks at the right thing"
    assert 0 not in uids


def test_only_what_somebody_reads_is_collected(scratch: Scratch, folder: Path) -> None:
    code = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from tiercel.config.files import Files\n"
        "from tiercel.config.model import RunOptions\n"
        "from tiercel.runtime.generation import prepare\n"
        "from tiercel_ebpf.translate import translate\n"
        "made = prepare(RunOptions(rules=(Path(sys.argv[1]),)), number=1, files=Files(None, ()))\n"
        "print(json.dumps(translate(made.source_plan, ring_bytes=1 << 23)[0]['collect']))\n"
    )
    rule = "- rule: r\n  desc: d\n  condition: evt.type = open and {check}\n  output: o\n  priority: INFO\n"
    collected = {}
    for name, check in (("without", "fd.name = /x"), ("with", "fd.name = /x and demo.exe_depth = 1")):
        (folder / name).write_text(rule.format(check=check))
        command: list[str | Path] = [scratch.bin / "python3", "-P", "-c", code, folder / name]
        collected[name] = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/", user="nobody").stdout
    assert '"exe"' not in collected["without"]
    assert '"exe"' in collected["with"]
    assert sysconfig.get_python_version() in str(scratch.site)


FLAKY = """
import itertools

from tiercel_ebpf.source import {name}

read, calls = {name}.read, itertools.count()


def flaky(self, timeout):
    if next(calls) == 20:
        raise RuntimeError("made up")
    return read(self, timeout)


{name}.read = flaky
"""


def test_the_source_of_system_calls_is_opened_anew(run: Callable[..., Sensor], folder: Path) -> None:
    (folder / "flaky.py").write_text(FLAKY.format(name="EbpfSource"))
    (folder / "flaky.py").chmod(0o644)
    rule = f"- rule: opened\n  desc: d\n  condition: evt.type in (open, openat) and fd.name = {folder}/watched\n  output: o\n  priority: INFO\n"
    config = f"outputs:\n  stdout: {{format: json}}\nplugins: {{paths: [{folder}/flaky.py]}}\n"
    running = run(rule, config=config)
    for _ in range(40):
        (folder / "watched").write_text("x")
        running.settle(0.1)
    running.expect("opened", count=40)
    (failed,) = running.expect("Tiercel internal: plugin quarantined")
    assert "source ebpf of tiercel " in failed["output"]
    assert "failed: RuntimeError: made up" in failed["output"]
    running.expect("Tiercel internal: plugin restored")
    text = running.stop()
    assert "starting another" not in text
