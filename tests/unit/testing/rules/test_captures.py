"""Recorded events in tests of rules: a capture as the kernel program's records fill it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit import distributions
from tests.unit.capture.made import batch, written
from tests.unit.testing.rules.conftest import RULES
from tests.unit.tiercel_ebpf.made import SECOND, image, opened
from tiercel.capture import Metadata
from tiercel.capture.format import BATCH, STATE
from tiercel.cli.main import main
from tiercel.cli.session import Setting
from tiercel.config.files import Files
from tiercel.errors import UserError
from tiercel.plugins import PluginHost
from tiercel.testing.rules.bench import Bench, Suite
from tiercel.testing.rules.mutate import mutate
from tiercel.testing.rules.run import Outcome, run
from tiercel_ebpf import records as r
from tiercel_ebpf.fields import FIELDS
from tiercel_ebpf.snapshots import pack

METADATA = Metadata(
    event_source="syscall", source="ebpf", layout=r.LAYOUT_NAME, origin="o", hostname="there", kernel="6.1 x86_64", version="0.1.0", time=5,
    complete=True, types=frozenset({"openat", "execve"}), fields=frozenset(each.name for each in FIELDS),
)  # fmt: skip


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """vi, started by bash, reads /etc/shadow and then /etc/passwd, both twice."""
    rows = [pack(image("task", pid=1, ppid=0, start=1, comm="init")), pack(image("task", comm="vi", args=b"vi\0x"))]
    reads = [opened("openat", flags=r.F_SAME, real=name) for name in ("/etc/shadow", "/etc/passwd") for _ in range(2)]
    records = list(enumerate(reads, 1000))
    data = written([(STATE, batch(*rows)), (BATCH, batch(*records, clock=100 * SECOND, position=1000))], metadata=METADATA)
    (tmp_path / "c.tcap").write_bytes(data)
    return tmp_path / "c.tcap"


def recorded(expectation: str) -> str:
    return f"tests:\n- name: n\n  capture: c.tcap\n  {expectation}\n"


SHADOW = "{rule: Shadow read, output: vi read /etc/shadow (uid=0)}"
ETC = "{rule: Anything in etc, fields: {fd.name: /etc/passwd}}"


def test_a_capture_stands_for_events(capture: Path, outcomes: Callable[[str], list[Outcome]]) -> None:
    assert [each.problems for each in outcomes(recorded(f"expect: [{SHADOW}, {SHADOW}, {ETC}, {ETC}]"))] == [()]


def test_a_rule_that_is_silent_is_explained(capture: Path, outcomes: Callable[[str], list[Outcome]]) -> None:
    [outcome] = outcomes(f"lists: {{readers: [vi]}}\n{recorded(f'expect: [{SHADOW}]')}")
    text = "\n".join(outcome.problems)
    assert "event 1 (openat) came closest; false of the condition is" in text
    assert 'proc.name is "vi"' in text


@pytest.mark.parametrize(
    ("change", "message"), [(b"", "empty, not a capture"), (b"something else", "not a capture"), (None, "cannot be read")]
)
def test_what_is_no_capture_is_named(capture: Path, suite: Callable[[str], Suite], change: bytes | None, message: str) -> None:
    made = suite(recorded("expect_none: true"))
    capture.unlink()
    if change is not None:
        capture.write_bytes(change)
    with pytest.raises(UserError, match=message):
        run(made, made.file.tests[0])


def test_mutants_are_not_run_through_captures(capture: Path, suite: Callable[[str], Suite]) -> None:
    [verdicts] = mutate([suite(recorded("expect_none: true"))], ["Shadow read"])
    assert verdicts.killed == []


def test_tests_are_proposed_and_pass(
    capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = distributions.tiercel_itself(tmp_path / "own", plugins=True)
    (tmp_path / "r.yaml").write_text(RULES)
    monkeypatch.setattr("tiercel.config.load.DEFAULT_FILE", tmp_path / "none.yaml")
    setting = Setting(distributions=[own], files=Files())

    def propose(*arguments: str) -> tuple[int, str, str]:
        code = main(["rules", "test", "--from-capture", str(capture), "-r", str(tmp_path / "r.yaml"), *arguments], setting=setting)
        return code, *capsys.readouterr()

    code, text, errors = propose()
    assert (code, errors) == (0, "")
    (tmp_path / "p.test.yaml").write_text(text)
    host = PluginHost(distributions=[own])
    host.load()
    [suite] = Bench(host, files=Files()).load([tmp_path / "p.test.yaml"])
    assert [[each.rule for each in test.expect or ()] for test in suite.file.tests] == [["Shadow read"], ["Anything in etc"]]
    assert [problem for test in suite.file.tests for problem in run(suite, test).problems] == []
    assert "Shadow read" not in propose("--rule", "Anything in etc")[1]
    assert propose("--rule", "Anything")[2] == 'tiercel: unknown rule "Anything" (did you mean "Anything in etc"?)\n'
    (tmp_path / "r.yaml").write_text(RULES.replace("evt.type in (open, openat)", "evt.type = execve"))
    assert propose()[0] == 2
