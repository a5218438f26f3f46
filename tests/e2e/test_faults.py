"""What a mistake of the user gets: all of it at once, in clean lines with the place, exit code 2, nothing started."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import state_option
from tests.e2e.hard.harness import OPENS, read, root_folder, rule, watching

pytestmark = pytest.mark.live

Run = Callable[..., list[str]]
DEPTH = "exceeded max depth limit of 1000"


@pytest.fixture
def refused(installed: Path, folder: Path) -> Run:
    """Runs the sensor on a rule file, which must not start; the lines that it says."""

    def run(rules: str, *before: str, options: tuple[str, ...] = ()) -> list[str]:
        path = folder / "rules.yaml"
        path.write_text(rules)
        state = state_option(folder, 65534 if "--reuid=65534" in before else "tiercel")
        command: list[str | Path] = [*before, installed / "tiercel", "run", "-r", path, *state, *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 2, done.stderr
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        assert "restart" not in done.stderr
        return [line.replace(str(path), "rules.yaml") for line in done.stderr.splitlines() if " info tiercel: " not in line]

    return run


def of(condition: str, name: str = "one") -> str:
    """A rule whose condition begins in column 14 of its third line."""
    return f"- rule: {name}\n  desc: made by a test\n  condition: {condition}\n  output: seen %fd.name\n  priority: NOTICE\n"


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("evt.type = open and fd.nam = /x", r'rules\.yaml:3:34: rule "one": condition: unknown field "fd.nam" .*did you mean "fd.name"'),
        ("evt.type = open and fd.num startswith a", r"rules\.yaml:3:34: rule \"one\": condition: 'startswith' operator .*int64"),
        ("evt.type = opne and fd.name = /x", r'rules\.yaml:3:25: rule "one": condition: unknown event type opne .*did you mean "open"'),
        ("evt.type = open and fd.num = many", r"rules\.yaml:3:\d+: rule \"one\": condition: .*many"),
        ("evt.type = open and (fd.name = /x", r"rules\.yaml:3:\d+: rule \"one\": condition: "),
        ("evt.type = open and fd.name regex '('", r"rules\.yaml:3:\d+: rule \"one\": condition: "),
        ("[", r"rules\.yaml:5:11: bad YAML: "),
    ],
)
def test_a_wrong_condition_is_one_line_with_its_place(refused: Run, condition: str, expected: str) -> None:
    (line,) = refused(of(condition))
    assert re.match(f"tiercel: ({expected})", line), line


def test_all_mistakes_of_all_rules_come_at_once(refused: Run) -> None:
    lines = refused(of("evt.type = open and fd.nam = /x", "one") + of("evt.type = open and fd.nme = /x and prok.name = x", "two"))
    found = [re.match(r'tiercel: rules\.yaml:(\d+):\d+: rule "(\w+)": condition: unknown field "([\w.]+)"', line) for line in lines]
    assert [m and m.groups() for m in found] == [("3", "one", "fd.nam"), ("8", "two", "fd.nme"), ("8", "two", "prok.name")]


@pytest.mark.parametrize("brackets", [1_001, 100_000])
def test_brackets_have_a_limit(refused: Run, brackets: int) -> None:
    (line,) = refused(of(f"evt.type = open and {'(' * brackets}fd.name = /x{')' * brackets}"))
    assert line.startswith("tiercel: rules.yaml:3:")
    assert line.endswith(DEPTH)


def test_a_hundred_brackets_are_a_rule(installed: Path, live_kernel: None) -> None:
    with root_folder() as folder:
        (folder / "deep").touch()
        (folder / "other").touch()
        # Of bare brackets nothing stays; of what does, 100 levels are allowed, with macros.
        deep = f"{'(' * 100}fd.name = {folder}/deep{')' * 100}"
        nested = f"{'not (' * 80}fd.name = {folder}/other{')' * 80}"
        rules = rule("deep", f"{OPENS} and {deep}") + rule("nested", f"{OPENS} and fd.name startswith {folder}/ and {nested}")
        with watching(installed, folder, rules) as watch:
            read(folder / "deep")
            read(folder / "other")
            assert [(a["rule"], a["output_fields"]["fd.name"]) for a in watch.seen()] == [
                ("deep", f"{folder}/deep"), ("nested", f"{folder}/other"),
            ]  # fmt: skip


def test_a_rule_file_that_is_missing(refused: Run, folder: Path) -> None:
    (line,) = refused(of("evt.type = open and fd.name = /x"), options=("-r", str(folder / "none.yaml")))
    assert f"{folder}/none.yaml" in line


def test_without_root(refused: Run) -> None:
    (line,) = refused(of("evt.type = open and fd.name = /x"), "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")
    assert line.startswith("tiercel: source ebpf: needs root to load its program into the kernel (got uid 65534); run `sudo tiercel run`")


def hidden(*paths: str) -> tuple[str, ...]:
    """Runs what follows in a mount namespace of its own in which these directories are empty: the host keeps them."""
    mounts = "".join(f"mount -t tmpfs none {path} && " for path in paths)
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c", f'{mounts}exec "$@"', "sh")


def test_a_kernel_without_btf(refused: Run) -> None:
    (line,) = refused(of("evt.type = open and fd.name = /x"), *hidden("/sys/kernel/btf"))
    assert line == (
        "tiercel: eBPF loader: /sys/kernel/btf/vmlinux: No such file or directory; "
        "the eBPF source needs a kernel built with CONFIG_DEBUG_INFO_BTF"
    )


def test_a_host_without_bcc(refused: Run) -> None:
    """Nor what an earlier load has compiled."""
    packages = Path("/usr/lib/python3/dist-packages/bcc")
    if not packages.is_dir():
        pytest.fail("bcc is not where this test hides it")
    (line,) = refused(of("evt.type = open and fd.name = /x"), *hidden(str(packages), "/var/cache"))
    assert line == f"tiercel: eBPF loader: bcc: {packages} is not the eBPF compiler; install Debian's: apt-get install python3-bpfcc"


def test_a_host_without_the_kernels_interface_headers(refused: Run) -> None:
    (line,) = refused(of("evt.type = open and fd.name = /x"), *hidden("/usr/include/linux", "/var/cache"))
    assert line == "tiercel: eBPF loader: /usr/include/linux/bpf.h: not found; install it with: apt-get install linux-libc-dev"
