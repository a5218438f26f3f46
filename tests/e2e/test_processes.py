"""Who opens a watched file decides whether there is an alert, so each change of a process is tried before and after its verdict is made.

Programs are copies of one (hard/image.c), called by the names that rules look at: `good` may read, `evil` may not.
"""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Alert
from tests.e2e.hard.harness import OPENS, Watch, checked, compiled, count_of, fill_ring, libc, root_folder, rule, watching

pytestmark = pytest.mark.live

NOBODY = 65534
PR_SET_CHILD_SUBREAPER = 36
SETTLE = "100"
"""Milliseconds in which a process gets its verdict."""
CONTAINER = "c0ffee" * 10 + "beef"
FIELDS = "proc.exepath proc.exe proc.args proc.ppid proc.pname proc.cwd proc.sid proc.tty user.uid thread.tid thread.cgroups container.id"
FILES = ("path", "name", "argument", "nobody", "root", "terminal", "session", "directory", "group", "container", "parent", "any")
PIDS, UNIFIED = Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup/unified")


def rules(folder: Path) -> str:
    conditions = {
        "path": f"proc.exepath != {folder}/good",
        "name": "proc.name = evil",
        "argument": "proc.args contains forbidden",
        "nobody": f"user.uid = {NOBODY}",
        "root": "user.uid = 0",
        "terminal": "proc.tty != 0",
        "session": f"proc.sid != {os.getsid(0)}",
        "directory": f"proc.cwd = {folder}/here/",
        "group": "thread.cgroups contains tiercel-hard",
        "container": f"container.id = {CONTAINER[:12]}",
        "parent": "proc.pname = evil",
        "any": "proc.pid > 0",
    }
    return "".join(rule(name, f"{OPENS} and fd.name = {folder}/{name} and {c}", FIELDS) for name, c in conditions.items())


class Programs:
    """The folder of watched files and images."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.good, self.evil = folder / "good", folder / "evil"

    def file(self, name: str) -> str:
        return str(self.folder / name)

    def run(self, image: Path, *words: str | int | Path, **options: Any) -> list[tuple[int, int, int]]:
        """Runs an image to its end: what its words `ready` say, (pid, tid, parent)."""
        done = subprocess.run([image, *map(str, words)], stdout=subprocess.PIPE, check=True, timeout=60, **options)
        return [tuple(map(int, line.split())) for line in done.stdout.splitlines()]  # type: ignore[misc]  # three numbers a line


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled("image.c", tmp_path_factory.mktemp("image") / "image")


@contextmanager
def prepared(image: Path) -> Iterator[Programs]:
    with root_folder() as folder:
        for name in FILES:
            (folder / name).touch(0o644)
        (folder / "here").mkdir()
        for name in ("good", "evil", "raised"):
            shutil.copy(image, folder / name)
        (folder / "raised").chmod(0o4755)
        yield Programs(folder)


@pytest.fixture(scope="module")
def programs(image: Path) -> Iterator[Programs]:
    with prepared(image) as found:
        yield found


@pytest.fixture(scope="module")
def watch(installed: Path, live_kernel: None, programs: Programs) -> Iterator[Watch]:
    with watching(installed, programs.folder, rules(programs.folder)) as found:
        yield found


def facts(alerts: list[Alert], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(a["output_fields"][n] for n in names) for a in alerts]


# Images


@pytest.mark.parametrize("name", ["path", "name"])
@pytest.mark.parametrize(("count", "pause"), [(10_000, 0), (60, 40)])
def test_two_images_alternate_in_one_process_and_only_one_of_them_alerts(
    watch: Watch, programs: Programs, name: str, count: int, pause: int
) -> None:
    """With pauses each image gets its verdict before the next takes its place; without, none does."""
    watch.run(programs.good, "again", programs.file(name), pause, count - 1, programs.evil, programs.good)
    alerts = watch.seen(60)
    assert len(alerts) == count // 2
    assert set(facts(alerts, "proc.name", "proc.exepath", "proc.exe")) == {("evil", str(programs.evil), str(programs.evil))}
    assert len(set(facts(alerts, "proc.pid"))) == 1
    left = [int(a["output_fields"]["proc.args"].split()[3]) for a in alerts]
    assert left == list(range(count - 2, -1, -2))


@pytest.mark.parametrize(("first", "then", "expected"), [("good", "evil", 2), ("evil", "good", 2)])
def test_an_exec_from_a_thread(watch: Watch, programs: Programs, first: str, then: str, expected: int) -> None:
    """The thread takes the pid of the leader, which ends."""
    file = programs.file("path")
    before, after = programs.run(
        programs.folder / first, "ready", "idle-thread", "open", file, "wait", SETTLE, "open", file,
        "thread-exec", programs.folder / then, "ready", "open", file, "wait", SETTLE, "open", file,
    )  # fmt: skip
    assert before[0] == after[0] == after[1]
    alerts = watch.seen()
    assert facts(alerts, "proc.name", "proc.pid", "thread.tid") == [("evil", before[0], before[0])] * expected


def test_a_pid_that_is_used_again_gets_no_verdict_of_its_former_owner(watch: Watch, programs: Programs) -> None:
    for _ in range(10):
        ((pid, *_),) = programs.run(programs.good, "ready", "open", programs.file("path"), "wait", SETTLE, "open", programs.file("path"))
        programs.run(programs.evil, "fork-as", pid, "open", programs.file("path"), "end")
        assert facts(watch.seen(), "proc.name", "proc.pid") == [("evil", pid)]
        programs.run(programs.evil, "fork-as", pid, "exec", programs.good, "open", programs.file("path"), "end")
        assert watch.seen() == []


def test_vfork(watch: Watch, programs: Programs) -> None:
    """The child is its parent's image until it executes another, and they share their memory."""
    file = programs.file("path")
    ((pid, *_), (child, *_)) = programs.run(
        programs.good, "ready", "open", file, "wait", SETTLE, "vfork", file, programs.evil, "ready", "open", file, "end", "open", file
    )
    assert facts(watch.seen(), "proc.pid", "proc.ppid", "proc.name") == [(child, pid, "evil")]
    ((pid, *_), (child, *_)) = programs.run(
        programs.evil, "ready", "wait", SETTLE, "vfork", file, programs.good, "ready", "open", file, "end", "open", file
    )
    assert facts(watch.seen(), "proc.pid", "proc.name", "proc.exepath") == [
        (child, "evil", str(programs.evil)), (pid, "evil", str(programs.evil)),
    ]  # fmt: skip


def test_children_have_the_image_of_their_parent_at_the_fork(watch: Watch, programs: Programs) -> None:
    file = programs.file("path")
    programs.run(programs.evil, "leave", "wait", SETTLE, "open", file, "end", "exec", programs.good, "wait", 300, "open", file)
    programs.run(programs.good, "leave", "wait", SETTLE, "open", file, "end", "exec", programs.evil, "wait", 300)
    (alert,) = watch.seen()
    fields = alert["output_fields"]
    assert (fields["proc.name"], fields["proc.pname"]) == ("evil", "good")


def test_arguments_of_each_exec_count(watch: Watch, programs: Programs) -> None:
    file = programs.file("argument")
    words = ("wait", SETTLE, "open", file, "exec", programs.good, "open", file, "wait", SETTLE, "open", file)
    programs.run(programs.good, *words)
    assert watch.seen() == []
    programs.run(programs.good, *words, "end", "forbidden")
    # The words of the first image hold the later ones: all three opens are by a command line with the argument.
    assert len(watch.seen()) == 3


# Credentials


def test_a_program_that_runs_as_its_owner(watch: Watch, programs: Programs) -> None:
    nobody, root = programs.file("nobody"), programs.file("root")
    both = ("open", nobody, "open", root, "wait", SETTLE, "open", nobody, "open", root)
    programs.run(programs.good, *both, "exec", programs.folder / "raised", *both, "seteuid", NOBODY, *both, user=NOBODY, group=NOBODY)
    alerts = watch.seen()
    assert [a["rule"] for a in alerts] == ["nobody", "nobody", "root", "root", "nobody", "nobody"]
    uids = [NOBODY, NOBODY, 0, 0, NOBODY, NOBODY]
    assert facts(alerts, "user.uid", "proc.name") == list(zip(uids, ["good", "good", *["raised"] * 4], strict=True))


def test_a_process_that_changes_its_user_all_the_time(watch: Watch, programs: Programs) -> None:
    turn = ("seteuid", NOBODY, "opens", 3, programs.file("nobody"), "seteuid", 0, "opens", 5, programs.file("nobody"))
    programs.run(programs.good, "wait", SETTLE, *turn * 100, "opens", 3, programs.file("root"))
    alerts = watch.seen()
    assert [a["rule"] for a in alerts] == ["nobody"] * 300 + ["root"] * 3
    assert set(facts(alerts, "user.uid")) == {(NOBODY,), (0,)}


def test_a_thread_that_alone_changes_its_user(watch: Watch, programs: Programs) -> None:
    file = programs.file("nobody")
    (main, thread) = programs.run(
        programs.good, "ready", "open", file, "wait", SETTLE, "open", file,
        "thread", "open", file, "thread-uid", NOBODY, "ready", "open", file, "wait", SETTLE, "open", file, "end", "open", file,
    )  # fmt: skip
    assert thread[0] == main[0] != thread[1]
    assert facts(watch.seen(), "proc.pid", "thread.tid", "user.uid") == [(main[0], thread[1], NOBODY)] * 2


# Session, terminal, directory


def test_a_terminal_that_comes_and_goes(watch: Watch, programs: Programs) -> None:
    master, slave = pty.openpty()
    try:
        file, device = programs.file("terminal"), Path(os.ttyname(slave)).stat().st_rdev
        words: tuple[str, ...] = ("setsid", "open", file, "wait", SETTLE, "open", file)
        words += ("terminal", os.ttyname(slave), "open", file, "wait", SETTLE, "open", file, "no-terminal", "open", file)
        ((pid, *_),) = programs.run(programs.good, "ready", *words)
        assert facts(watch.seen(), "proc.pid", "proc.tty") == [(pid, device)] * 2
    finally:
        os.close(master)
        os.close(slave)


def test_a_session_of_its_own(watch: Watch, programs: Programs) -> None:
    file = programs.file("session")
    ((pid, *_),) = programs.run(
        programs.good, "ready", "open", file, "wait", SETTLE, "open", file, "setsid", "open", file, "wait", SETTLE, "open", file
    )
    assert facts(watch.seen(), "proc.pid", "proc.sid") == [(pid, pid)] * 2


def test_the_directory_is_that_of_the_moment(watch: Watch, programs: Programs) -> None:
    file, here = programs.file("directory"), programs.folder / "here"
    words = ("open", file, "wait", SETTLE, "chdir", here, "open", file, "chdir", "..", "open", file, "chdir", here, "open", file)
    programs.run(programs.good, *words)
    assert facts(watch.seen(), "proc.cwd") == [(f"{here}/",)] * 2


# Control groups


@contextmanager
def control_group(hierarchy: Path, name: str) -> Iterator[Path]:
    path = hierarchy / name
    if not hierarchy.is_dir():
        pytest.skip(f"{hierarchy} is not mounted")
    path.mkdir()
    try:
        yield path
    finally:
        path.rmdir()


@pytest.mark.parametrize(("hierarchy", "label"), [(PIDS, "pids"), (UNIFIED, "unified")])
def test_a_process_that_is_moved_to_another_control_group(watch: Watch, programs: Programs, hierarchy: Path, label: str) -> None:
    file, name = programs.file("group"), f"tiercel-hard-{label}"
    with control_group(hierarchy, name) as group:
        both = ("open", file, "wait", SETTLE, "open", file)
        programs.run(programs.good, *both, "group", group / "cgroup.procs", *both, "group", hierarchy / "cgroup.procs", *both)
        alerts = watch.seen()
    assert len(alerts) == 2
    assert all(f"{label}=/{name}" in text.split(" ") for (text,) in facts(alerts, "thread.cgroups"))


def test_a_thread_that_is_moved_alone(watch: Watch, programs: Programs) -> None:
    file = programs.file("group")
    with control_group(PIDS, "tiercel-hard-thread") as group:
        main, thread = programs.run(
            programs.good, "ready", "open", file, "wait", SETTLE,
            "thread", "group", group / "tasks", "ready", "open", file, "wait", SETTLE, "open", file, "end", "open", file,
        )  # fmt: skip
        assert facts(watch.seen(), "proc.pid", "thread.tid") == [(main[0], thread[1])] * 2


def test_a_container_begins_with_its_control_group(watch: Watch, programs: Programs) -> None:
    file = programs.file("container")
    with control_group(PIDS, "docker"), control_group(PIDS, f"docker/{CONTAINER}") as group:
        both = ("open", file, "wait", SETTLE, "open", file)
        programs.run(programs.good, *both, "group", group / "cgroup.procs", *both, "fork", *both, "exec", programs.evil, *both, "end")
        alerts = watch.seen()
    assert facts(alerts, "container.id", "proc.name") == [(CONTAINER[:12], name) for name in ["good"] * 4 + ["evil"] * 2]


# Parents


def test_the_parent_is_what_it_is_now(watch: Watch, programs: Programs) -> None:
    """After the fork the parent becomes another image: `good` as it forks, `evil` when its child opens the file."""
    file = programs.file("parent")
    ((pid, *_),) = programs.run(
        programs.good, "ready", "leave", "open", file, "wait", 200, "open", file, "end", "wait", 50, "exec", programs.evil, "wait", 400
    )
    assert facts(watch.seen(), "proc.pname", "proc.ppid", "proc.name") == [("evil", pid, "good")]


def test_a_parent_that_ends_hands_its_child_on(watch: Watch, programs: Programs) -> None:
    """To this process, which takes the part of init for the while."""
    file, every = programs.file("parent"), programs.file("any")
    checked(libc.prctl(PR_SET_CHILD_SUBREAPER, 1))
    try:
        (first, second, third) = programs.run(
            programs.evil, "ready", "leave", "ready", "open", file, "wait", 300, "ready", "open", file, "open", every, "end", "wait", SETTLE
        )
        os.waitpid(second[0], 0)
    finally:
        checked(libc.prctl(PR_SET_CHILD_SUBREAPER, 0))
    assert (second[2], third[2]) == (first[0], os.getpid())
    before, after = watch.seen()
    names = ("proc.pname", "proc.ppid", "proc.pid")
    assert (before["rule"], *facts([before], *names)) == ("parent", ("evil", first[0], second[0]))
    name = Path("/proc/self/comm").read_text().removesuffix("\n")
    assert (after["rule"], *facts([after], *names)) == ("any", (name, os.getpid(), second[0]))


# Starts and losses


@pytest.mark.slow
@pytest.mark.parametrize("name", ["path", "name"])
def test_a_sensor_that_starts_during_an_exec_loop_takes_no_image_for_another(
    installed: Path, live_kernel: None, image: Path, name: str
) -> None:
    with prepared(image) as programs:
        words = ("again", programs.file(name), 0, 1_000_000, programs.evil, programs.good)
        loops = [subprocess.Popen([programs.good, *map(str, words)]) for _ in range(2)]
        try:
            with watching(installed, programs.folder, rules(programs.folder)) as watch:
                watch.seen(60)
                time.sleep(1)
                alerts = watch.seen(60)
        finally:
            for loop in loops:
                loop.kill()
                loop.wait()
    assert len(alerts) > 100
    assert set(facts(alerts, "proc.name", "proc.exepath", "proc.exe")) == {("evil", str(programs.evil), str(programs.evil))}
    for loop in loops:
        left = [int(a["output_fields"]["proc.args"].split()[3]) for a in alerts if a["output_fields"]["proc.pid"] == loop.pid]
        assert left == list(range(left[0], left[-1] - 1, -2))


@pytest.mark.slow
def test_records_of_execs_that_are_lost_are_made_up_for(installed: Path, live_kernel: None, image: Path, tmp_path: Path) -> None:
    """Processes that execute, fork and begin while the ring is full are known when they open the file later."""
    calls = compiled("calls.c", tmp_path / "calls")
    with prepared(image) as programs, watching(installed, programs.folder, rules(programs.folder)) as watch, ExitStack() as stack:
        file = programs.file("path")

        def start(*words: str | int | Path) -> subprocess.Popen[bytes]:
            process = subprocess.Popen([str(w) for w in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            stack.callback(process.kill)
            return stack.enter_context(process)

        turns = ("read", "ready", "open", file, "wait", SETTLE, "open", file)
        becomes = start(programs.good, "open", file, "read", "exec", programs.evil, *turns)
        returns = start(programs.evil, "read", "exec", programs.good, *turns)
        forks = start(programs.good, "read", "exec", programs.evil, "fork", *turns, "end")
        watch.seen()
        time.sleep(0.1)
        sensor = watch.sensor.sensor_pid
        os.kill(sensor, signal.SIGSTOP)
        try:
            fill_ring(sensor, calls, count=60_000)
            starts = start(programs.evil, *turns)
            running = [becomes, returns, forks, starts]
            for each in running[:3]:
                assert each.stdin is not None
                each.stdin.write(b"1")
                each.stdin.flush()
            time.sleep(0.2)
        finally:
            os.kill(sensor, signal.SIGCONT)
        assert watch.seen(60) == []
        pids = []
        for each in running:
            out, _ = each.communicate(b"2", timeout=10)
            assert each.returncode == 0
            pids.append(int(out.split()[0]))
        alerts = watch.seen()
        text = watch.sensor.stop()
    assert count_of(text, "execve", "lost") >= 4, text
    wanted = [(pids[i], "evil", str(programs.evil), str(programs.evil)) for i in (0, 0, 2, 2, 3, 3)]
    assert sorted(facts(alerts, "proc.pid", "proc.name", "proc.exepath", "proc.exe")) == sorted(wanted)
    assert {a["output_fields"]["proc.args"] for a in alerts if a["output_fields"]["proc.pid"] == pids[0]} == {" ".join(turns)}


# The other table of calls


def test_calls_of_the_i386_table(installed: Path, live_kernel: None, image: Path, tmp_path: Path) -> None:
    """Undecided in the kernel and counted; the same rules apply. Number 295 is openat there, and another call in the table of x86-64."""
    with prepared(image) as programs, watching(installed, programs.folder, rules(programs.folder)) as watch:
        file = programs.file("name")
        for name, flags in (("wide", ()), ("narrow", ("-m32",))):
            compiled("calls.c", tmp_path / name, *flags)
            for alias in ("good", "evil"):
                (tmp_path / name).with_name(alias).unlink(missing_ok=True)
                shutil.copy(tmp_path / name, tmp_path / alias)
                for call in ("int80-open", "int80-openat", "open", "openat", "openat2", "int80-creat", "creat"):
                    done = subprocess.run([tmp_path / alias, call, file, "20"], stdout=subprocess.PIPE, check=True)
                    assert done.stdout == b"20\n"
            alerts = watch.seen()
            assert {a["output_fields"]["proc.name"] for a in alerts} == {"evil"}
            types = [t for (t,) in facts(alerts, "evt.type")]
            assert {t: types.count(t) for t in types} == {"open": 40, "openat": 40, "openat2": 20, "creat": 40}
            assert set(facts(alerts, "fd.name", "fd.realpath")) == {(file, file)}
        text = watch.sensor.stop()
    # 20 calls by two images each: of the x86-64 program those by int 0x80, of the i386 program all.
    assert count_of(text, "open", "i386") >= 40 + 80
    assert count_of(text, "openat", "i386") >= 40 + 80
    assert count_of(text, "openat2", "i386") >= 40
    assert count_of(text, "creat", "i386") >= 40 + 80
