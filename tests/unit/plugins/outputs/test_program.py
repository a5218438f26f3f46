"""With real programs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.plugins.outputs.servers import dead, until
from tests.unit.plugins.outputs.support import Granting, Numbers, alert
from tiercel import Context, Permanent, Retry, UserError
from tiercel.config.schema import with_defaults
from tiercel_program import Program, tiercel_register_outputs


def made(*command: str, **options: Any) -> Program:
    context = Context("program/x", "web1", Granting(Path("/nonexistent")), {"numbers": Numbers(), "long": Numbers(100_000)})
    config = with_defaults(Program.config_schema, {"format": "numbers", "command": list(command), **options})
    return Program.from_config(config, context)


def script(directory: Path, text: str) -> str:
    """Path of a shell script."""
    path = directory / "program"
    path.write_text(f"#!/bin/sh\ncd {directory}\n{text}\n")
    path.chmod(0o755)
    return str(path)


def running(output: Program, check: Callable[[Program], Awaitable[object]]) -> None:
    async def main() -> None:
        await output.open()
        try:
            await asyncio.wait_for(check(output), 60)
        finally:
            await output.close()

    asyncio.run(main())


def alive(pid: str) -> bool:
    return Path(f"/proc/{int(pid)}").exists()


def test_is_registered() -> None:
    assert list(tiercel_register_outputs()) == [Program]


def test_a_run_for_each_alert(tmp_path: Path) -> None:
    async def check(output: Program) -> None:
        await output.deliver([alert(1), alert(2)])
        await output.deliver([alert(3)])
        assert output.counters()["starts"] == 3

    running(made(script(tmp_path, "cat >>got; echo -n '; ' >>got")), check)
    assert (tmp_path / "got").read_text() == "0001\n; 0002\n; 0003\n; "


def test_arguments_are_not_read_by_a_shell(tmp_path: Path) -> None:
    words = ["$(touch bad); `touch bad`", "", "*"]
    running(made(script(tmp_path, """printf '[%s]' "$@" >got"""), *words), lambda output: output.deliver([alert(1)]))
    assert (tmp_path / "got").read_text() == "".join(f"[{word}]" for word in words)
    assert not (tmp_path / "bad").exists()


def test_one_run_for_all_alerts(tmp_path: Path) -> None:
    async def check(output: Program) -> None:
        await output.deliver([alert(1), alert(2)])
        until(lambda: (tmp_path / "got").read_text() == "0001\n0002\n")
        await output.deliver([alert(3)])
        assert output.counters()["starts"] == 1

    running(made(script(tmp_path, "echo $$ >>pids; exec cat >>got"), keep_alive=True), check)
    assert (tmp_path / "got").read_text() == "0001\n0002\n0003\n", "it had time for the rest when the output closed"
    assert not alive((tmp_path / "pids").read_text())


def test_more_than_a_pipe_holds(tmp_path: Path) -> None:
    batch = [alert(n) for n in range(1, 21)]
    running(made(script(tmp_path, "exec cat >>got"), format="long", keep_alive=True), lambda output: output.deliver(batch))
    assert [line.lstrip("0") for line in (tmp_path / "got").read_text().splitlines()] == [str(n) for n in range(1, 21)]


def test_what_was_accepted_is_not_given_again(tmp_path: Path) -> None:
    async def check(output: Program) -> None:
        with pytest.raises(Retry, match="program ended with exit code 3"):
            await output.deliver([alert(1), alert(2), alert(3)])
        (tmp_path / "fail").unlink()
        await output.deliver([alert(1), alert(2), alert(3)])

    (tmp_path / "fail").touch()
    running(made(script(tmp_path, "read n; [ $n = 0002 ] && [ -e fail ] && exit 3; echo $n >>got")), check)
    assert (tmp_path / "got").read_text() == "0001\n0002\n0003\n"


def test_alerts_that_are_refused(tmp_path: Path) -> None:
    async def check(output: Program) -> None:
        with pytest.raises(Permanent, match="exit code 65") as caught:
            await output.deliver([alert(1), alert(2), alert(3)])
        assert caught.value.refused == {alert(2).id}

    running(made(script(tmp_path, "read n; [ $n = 0002 ] && exit 65; echo $n >>got")), check)
    assert (tmp_path / "got").read_text() == "0001\n0003\n"


def test_programs_that_hang_are_ended_with_their_children(tmp_path: Path) -> None:
    async def check(output: Program) -> None:
        begun = time.monotonic()
        with pytest.raises(Retry, match=r"took more than 0.5 s and was ended"):
            await output.deliver([alert(1)])
        assert time.monotonic() - begun < 10

    running(made(script(tmp_path, "sleep 1000 & echo $! $$ >pids; wait"), timeout_secs=0.5), check)
    pids = (tmp_path / "pids").read_text().split()
    until(lambda: all(dead(int(pid)) for pid in pids))


def test_a_program_that_wants_no_input_decides_by_its_exit_code(tmp_path: Path) -> None:
    running(made(script(tmp_path, "exec <&-; sleep 0.05"), format="long"), lambda output: output.deliver([alert(1)]))


def test_a_kept_program_that_reads_nothing_is_ended_by_whoever_waits(tmp_path: Path) -> None:
    async def check(output: Program) -> None:
        for _ in range(2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):  # sooner than timeout_secs
                    await output.deliver([alert(1)])
        with pytest.raises(Retry, match=r"read nothing for 0.5 s"):
            await output.deliver([alert(1)])

    running(made(script(tmp_path, "exec sleep 1000"), keep_alive=True, timeout_secs=0.5), check)


@pytest.mark.parametrize("form", ["numbers", "long"])  # that fits into the pipe, and that does not
def test_a_kept_program_that_reads_nothing_is_ended(tmp_path: Path, form: str) -> None:
    async def check(output: Program) -> None:
        with pytest.raises(Retry, match=r"read nothing for 0.3 s"):
            await output.deliver([alert(1)])
        assert not alive((tmp_path / "pid").read_text())

    running(made(script(tmp_path, "echo $$ >pid; exec sleep 1000"), format=form, keep_alive=True, timeout_secs=0.3), check)


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        ("exit 4", "ended with exit code 4"),
        ("kill -KILL $$", "was ended by SIGKILL"),
        ("kill -40 $$", "was ended by signal 40"),
        ("exec 0<&-; sleep 1000", "has closed its standard input"),
    ],
)
def test_a_kept_program_that_dies_gets_the_batch_again_after_a_pause(tmp_path: Path, does: str, reason: str) -> None:
    async def check(output: Program) -> None:
        batch = [alert(n) for n in range(1, 6)]
        with pytest.raises(Retry, match=f"program {reason} before it had read everything"):
            await output.deliver(batch)
        (tmp_path / "fail").unlink()
        with pytest.raises(Retry, match="ended soon after its start") as caught:
            await output.deliver(batch)
        assert caught.value.after is not None
        assert 0 < caught.value.after <= 1
        await asyncio.sleep(caught.value.after)
        await output.deliver(batch)
        assert output.counters()["starts"] == 2

    (tmp_path / "fail").touch()
    program = script(tmp_path, f"if [ -e fail ]; then head -c 7 >/dev/null; {does}; fi; exec sed s/^0*// >>got")
    running(made(program, format="long", keep_alive=True), check)
    assert (tmp_path / "got").read_text() == "1\n2\n3\n4\n5\n"


def test_environment_and_descriptors_are_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    inherited = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(inherited, True)
    program = tmp_path / "program"
    look = "import json, os, sys\nfds = [fd for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}')]\n"
    look += "seen = {'env': dict(os.environ), 'fds': sorted(fds), 'cwd': os.getcwd(), 'leads': os.getsid(0) == os.getpid()}\n"
    program.write_text(f"#!{sys.executable} -I\n{look}json.dump(seen, open({str(tmp_path / 'got')!r}, 'w'))\n")
    program.chmod(0o755)
    try:
        running(made(str(program), environment={"TOKEN": "t0ken"}), lambda output: output.deliver([alert(1)]))
    finally:
        os.close(inherited)
    seen = json.loads((tmp_path / "got").read_text())
    seen["env"].pop("LC_CTYPE", None)  # the interpreter's own
    assert seen == {
        "env": {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TOKEN": "t0ken"},
        "fds": ["0", "1", "2"],
        "cwd": "/",
        "leads": True,
    }


def test_what_it_writes_is_logged_without_secrets(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tiercel.program")
    program = script(tmp_path, """read n; echo "bad $TOKEN"; printf 'esc\\033[1m no end' >&2""")
    running(made(program, environment={"TOKEN": "t0ken"}), lambda output: output.deliver([alert(1)]))
    assert [record.getMessage() for record in caplog.records] == ["output program/x: bad ***", "output program/x: esc [1m no end"]


def test_a_program_that_writes_without_end_fills_no_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def check(output: Program) -> None:
        with contextlib.suppress(Retry):
            await output.deliver([alert(1)])
        assert output.counters()["lines_left_out"] > 1000

    caplog.set_level(logging.INFO, "tiercel.program")
    running(made("/usr/bin/yes", timeout_secs=0.5), check)
    assert len(caplog.records) == 30


def test_a_task_that_ends_leaves_no_program_behind(tmp_path: Path) -> None:
    async def check(output: Program) -> None:
        for _ in range(2):
            task = asyncio.create_task(output.deliver([alert(1)]))
            await asyncio.to_thread(until, (tmp_path / "pid").exists)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not alive((tmp_path / "pid").read_text())
            (tmp_path / "pid").unlink()
            output._keep_alive, output._formatter = True, Numbers(100_000)  # half of it is written

    running(made(script(tmp_path, "echo $$ >tmp; mv tmp pid; exec sleep 1000")), check)


def test_a_slow_program_is_interrupted_and_gets_each_alert_once(tmp_path: Path) -> None:
    batch = [alert(n) for n in range(1, 101)]

    async def check(output: Program) -> None:
        tries = 0
        while True:
            try:
                async with asyncio.timeout(0.3):  # as lanes do
                    await output.deliver(batch)
                break
            except TimeoutError:
                tries += 1
        assert tries > 1
        assert output.counters()["starts"] == 1
        await output.deliver([alert(101)])

    running(made(script(tmp_path, "while read n; do echo $n >>got; sleep 0.01; done"), keep_alive=True), check)
    assert (tmp_path / "got").read_text().splitlines() == [f"{n:04}" for n in range(1, 102)]


def test_what_was_read_is_not_given_to_the_next_run(tmp_path: Path) -> None:
    """The first run reads one piece, of three lines, and one line of the next."""
    batch = [alert(n) for n in range(1, 7)]

    async def check(output: Program) -> None:
        output._formatter = Numbers(10_000)
        with pytest.raises(Retry, match="exit code 7"):
            await output.deliver(batch)
        output._pause = 0.0
        await output.deliver(batch)

    program = script(tmp_path, "[ -e got ] || { head -c 40000 >got; exit 7; }; exec cat >>got")
    running(made(program, keep_alive=True), check)
    lines = [line.lstrip("0") for line in (tmp_path / "got").read_text().splitlines()]
    assert [line for line in lines if line in "123456"][:3] == ["1", "2", "3"]
    assert lines.count("1") == 1
    assert lines[-3:] == ["4", "5", "6"]


def test_reopen_starts_it_anew(tmp_path: Path) -> None:
    async def check(output: Program) -> None:
        await output.deliver([alert(1)])
        await output.reopen()
        await output.deliver([alert(2)])
        assert output.counters()["starts"] == 2

    running(made(script(tmp_path, "echo start >>got; exec cat >>got"), keep_alive=True), check)
    assert (tmp_path / "got").read_text() == "start\n0001\nstart\n0002\n"


def test_a_program_that_does_not_want_to_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiercel_program.process.EOF_SECONDS", 0.2)
    monkeypatch.setattr("tiercel_program.process.TERM_SECONDS", 0.2)
    program = script(tmp_path, "echo $$ >pid; trap '' TERM; cat >/dev/null; while :; do sleep 0.05; done")
    running(made(program, keep_alive=True), lambda output: output.deliver([alert(1)]))
    assert not alive((tmp_path / "pid").read_text())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"command": ["cat"]}, r"program/x: command begins with the program \(got 'cat', expected an absolute path\)"),
        ({"command": ["/bin/cat", "a\0"]}, "zero bytes"),
        ({"command": ["/bin/cat"], "environment": {"A=B": ""}}, "'A=B' is no name of a variable"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        made(*options.pop("command"), **options)


def test_programs_that_cannot_be_started_show_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "data").touch(0o644)
    for path, why in ((tmp_path / "none", "is not there"), (tmp_path / "data", "cannot be executed"), (tmp_path, "cannot be executed")):
        with pytest.raises(UserError, match=f"program/x: command: {path} {why}"):
            asyncio.run(made(str(path)).open())


def test_a_program_that_vanishes_is_tried_again(tmp_path: Path) -> None:
    path = script(tmp_path, "cat >>got")

    async def check(output: Program) -> None:
        os.unlink(path)
        with pytest.raises(Retry, match="No such file or directory"):
            await output.deliver([alert(1)])
        script(tmp_path, "cat >>got")
        await output.deliver([alert(1)])

    running(made(path), check)
    assert (tmp_path / "got").read_text() == "0001\n"


def test_no_descriptors_are_left(tmp_path: Path) -> None:
    async def check(output: Program) -> None:
        await output.deliver([alert(1)])
        before = len(os.listdir("/proc/self/fd"))
        for number in range(2, 12):
            await output.deliver([alert(number)])
        assert len(os.listdir("/proc/self/fd")) == before

    running(made(script(tmp_path, "cat >/dev/null")), check)
