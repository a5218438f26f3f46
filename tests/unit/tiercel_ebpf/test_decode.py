from __future__ import annotations

import dataclasses
import socket
from typing import Any

import pytest

from tests.unit.tiercel_ebpf.made import SECOND, Kernel, batch, connected, decode, decoder, image, opened, plan, record
from tiercel import PENDING
from tiercel_ebpf import records as r
from tiercel_ebpf.event import SyscallEvent
from tiercel_ebpf.process import UNKNOWN


def views(event: SyscallEvent) -> list[Any]:
    out = []
    for view in range(event.views):
        if event.views > 1:
            event.select(view)
        out.append(event.name)
    return out


def names(*records: bytes, kernel: Kernel | None = None) -> list[list[Any]]:
    return decode(decoder(kernel or Kernel(image("task"))), *records, read=views)


class TestProcesses:
    def test_exec(self) -> None:
        made = decoder()
        (e,) = decode(
            made, image(comm="cat", args=b"cat\0-n\0/etc/shadow\0", uid=5, gid=6, loginuid=7, sid=8, tty=9), read=lambda e: (
                e.type, e.number, e.position, e.time, e.image.name, e.image.exe, e.image.exepath, e.image.args, e.image.cmdline,
                e.uid, e.gid, e.loginuid, e.sid, e.tty, e.pending, e.wants_verdict, e.process.vpid,
            ),
        )  # fmt: skip
        assert e == (
            "execve", 1, 1000, 100 * SECOND + 7, "cat", "cat", "/usr/bin/cat", "-n /etc/shadow", "cat -n /etc/shadow", 5, 6, 7, 8, 9, False,
            False, 10,
        )  # fmt: skip
        assert made.table.get(10) is not None

    @pytest.mark.parametrize(
        ("args", "flags", "exe", "line"),
        [
            (b"", 0, "cat", "cat"), (b"a\0", 0, "a", "cat"), (b"a\0\0b\0", 0, "a", "cat  b"), (b"a\0b", 0, "a", "cat b"),
            (b"", r.F_ARGS_CUT, PENDING, PENDING), (b"a\0long", r.F_ARGS_CUT, "a", "cat long"),
            (b"\xff\0\xfe\0", 0, "\udcff", "cat \udcfe"),
        ],
    )  # fmt: skip
    def test_arguments(self, args: bytes, flags: int, exe: Any, line: Any) -> None:
        assert decode(decoder(), image(args=args, flags=flags), read=lambda e: (e.image.exe, e.image.cmdline)) == [(exe, line)]

    def test_a_path_that_is_cut_is_pending(self) -> None:
        assert decode(decoder(), image(flags=r.F_CUT), read=lambda e: e.image.exepath) == [PENDING]

    def test_a_failed_exec_changes_nothing(self) -> None:
        made = decoder(Kernel(image("task", comm="bash")))
        got = decode(made, record("execve", result=-2, text="/no/such"), read=lambda e: (e.image.name, e.result, e.string(r.TEXT)))
        assert got == [("bash", -2, "/no/such")]

    def test_fork_shares_the_image(self) -> None:
        made = decoder(Kernel(image("task", comm="bash")))
        fork = record("clone", result=20, a={0: 20 | 20 << 32, 1: 99, 2: 4, 3: 1})
        got = decode(
            made, fork, opened(tgid=20, start=99, ppid=10), read=lambda e: (e.type, e.process.pid, e.process.vpid, e.image.name, e.pending)
        )
        assert got == [("clone", 10, 10, "bash", False), ("openat", 20, 4, "bash", False)]
        assert made.table.get(20).image is made.table.get(10).image  # type: ignore[union-attr]

    def test_a_thread_is_no_process(self) -> None:
        made = decoder(Kernel(image("task")))
        decode(made, record("clone", flags=r.F_THREAD, result=21, a={0: 10 | 21 << 32, 1: 5, 3: 1}), read=lambda e: e.type)
        assert len(made.table) == 1

    def test_exit_comes_after_its_event(self) -> None:
        made = decoder(Kernel(image("task", comm="sh")))
        assert decode(made, record("procexit", result=256), read=lambda e: (e.image.name, made.table.get(10) is not None)) == [("sh", True)]
        assert made.table.get(10) is None

    def test_exit_of_an_earlier_one_of_the_pid(self) -> None:
        made = decoder(Kernel(image("task", start=9)))
        made.replay(record("procexit", start=5))
        assert made.table.get(10) is not None

    def test_threads_carry_their_own_credentials(self) -> None:
        made = decoder(Kernel(image("task", uid=0)))
        assert decode(made, opened(uid=33, tid=12), read=lambda e: (e.uid, e.tid)) == [(33, 12)]

    def test_quiet_kinds_change_the_table_only(self) -> None:
        made = decoder(plan_=plan(types=["openat"]))
        fork = record("clone", result=20, a={0: 20 | 20 << 32, 1: 99, 3: 1})
        assert decode(
            made, image(comm="sh"), fork, record("procexit"), opened(tgid=20, start=99), read=lambda e: (e.type, e.image.name)
        ) == [("openat", "sh")]
        assert (made.table.get(10), len(made.table)) == (None, 1)


class TestIdentity:
    @pytest.mark.parametrize("other", [{"start": 6}, {"exec_id": 2}])
    def test_another_identity_is_repaired(self, other: dict[str, Any]) -> None:
        kernel = Kernel(image("task", comm="old"))
        made = decoder(kernel)
        kernel.rows = [image("task", comm="new", **other)]
        got = decode(made, opened(**other), opened(**other), read=lambda e: (e.image.name, e.pending))
        assert got == [("new", False)] * 2
        assert kernel.taken == 2
        assert made.counters()["repaired"] == 1

    def test_at_most_one_snapshot_a_batch_then_pending(self) -> None:
        kernel = Kernel(image("task", comm="old"))
        made = decoder(kernel)
        got = decode(
            made, *(opened(tgid=t, start=50) for t in (30, 31, 30)), opened(), read=lambda e: (e.image.name, e.pending, e.process.vpid)
        )
        assert got == [(PENDING, True, PENDING)] * 3 + [("old", False, 10)]
        assert kernel.taken == 2
        decode(made, opened(tgid=30), read=lambda e: e.type)
        assert kernel.taken == 3
        assert made.counters()["unknown"] == 4
        assert len(made.table) == 1

    def test_the_exec_id_runs_ahead_of_the_arguments(self) -> None:
        """A row that was taken during an exec is not used: the event stays pending, and the next batch finds the new image."""
        kernel = Kernel(image("task", comm="old"))
        made = decoder(kernel)
        kernel.rows = [image("task", comm="half", exec_id=2, flags=r.F_CHANGING)]
        assert decode(made, opened(exec_id=2), read=lambda e: e.image.name) == [PENDING]
        kernel.rows = [image("task", comm="new", exec_id=2)]
        assert decode(made, opened(exec_id=2), read=lambda e: e.image.name) == ["new"]

    def test_children_of_the_unknown_are_not_unknown_for_ever(self) -> None:
        kernel = Kernel()
        made = decoder(kernel)
        fork = record("clone", tgid=30, result=31, a={0: 31 | 31 << 32, 1: 60, 3: 1})
        decode(made, fork, read=lambda e: e.pending)
        kernel.rows = [image("task", comm="child", pid=31, start=60)]
        assert decode(made, opened(tgid=31, start=60), read=lambda e: (e.image.name, e.pending)) == [("child", False)]

    def test_a_row_does_not_renew_what_is_known(self) -> None:
        kernel = Kernel(image("task", comm="same", ppid=1))
        made = decoder(kernel)
        before = made.table.get(10)
        kernel.rows = [image("task", comm="other", ppid=2)]
        decode(made, opened(tgid=30), read=lambda e: e.type)
        assert made.table.get(10) is before
        assert before is not None
        assert (before.image.name, before.ppid) == ("same", 2)

    def test_command_lines_of_rows_by_identity(self) -> None:
        line = r.CommandLine((10, 5, 1, b"cat\0-n\0"))
        other = r.CommandLine((11, 5, 2, b"wrong\0"))
        made = decoder(Kernel(line, other, image("task"), image("task", pid=11), image("task", pid=12, flags=r.F_KTHREAD, comm="kworker")))
        table = made.table
        assert [table.get(p).image.cmdline for p in (10, 11, 12)] == ["cat -n", PENDING, "kworker"]  # type: ignore[union-attr]
        assert table.get(12).image.exepath is None  # type: ignore[union-attr]

    def test_journal(self) -> None:
        made = decoder(Kernel(image("task", comm="sh")))
        made.replay(image(pid=11, comm="known", start=6))
        made.replay(record("clone", tgid=11, start=6, result=12, a={0: 12 | 12 << 32, 1: 7, 2: 2, 3: 1}))
        made.replay(record("procexit", tgid=11, start=6))
        made.replay(record("execve", tgid=12, start=7, result=-2))
        assert made.table.get(11) is None
        assert decode(made, opened(tgid=12, start=7), read=lambda e: (e.number, e.image.name)) == [(1, "known")]

    def test_bad_records(self) -> None:
        made = decoder(Kernel(image("task")))
        unknown = (99).to_bytes(2, "little") + opened()[2:]
        assert decode(made, b"", b"short", unknown, opened()[: r.HEAD.size - 1], opened(), read=lambda e: e.type) == ["openat"]
        assert made.counters()["malformed"] == 4


class TestVerdicts:
    def wants(self, made: Any, *records: bytes, clock: int) -> list[tuple[str, int, bool]]:
        return [(e.type, e.process.pid, bool(e.wants_verdict)) for e in made.decode(batch(*records, clock=clock))]

    def test_only_what_came_up_unjudged(self) -> None:
        made = decoder(Kernel(image("task")))
        self.wants(made, clock=100 * SECOND)  # the process of the snapshot
        got = self.wants(made, opened(), opened(flags=r.F_UNJUDGED), image(flags=r.F_UNJUDGED), clock=100 * SECOND)
        assert got == [("openat", 10, False), ("openat", 10, True), ("execve", 10, False)]

    def test_once_for_a_context(self) -> None:
        made = decoder(Kernel(image("task")))
        self.wants(made, clock=100 * SECOND)
        process = made.table.get(10)
        assert process is not None
        head = r.HEAD.unpack_from(opened())
        process.judged, process.judged_at = head[r.UID : r.RESULT], 101 * SECOND
        before: dict[str, Any] = {"flags": r.F_UNJUDGED, "time": 100 * SECOND}
        after = before | {"time": 102 * SECOND}
        got = self.wants(made, opened(**before), opened(uid=5, **before), opened(cgroup2=78, **before), opened(**after), clock=102 * SECOND)
        assert [w for *_, w in got] == [False, True, True, True]  # the last: the kernel has lost the verdict

    def test_young_processes_wait(self) -> None:
        made = decoder()
        assert made.due() is None
        first = self.wants(made, image(pid=11, time=100 * SECOND), opened(tgid=11, flags=r.F_UNJUDGED), clock=100 * SECOND)
        assert first == [("execve", 11, False), ("openat", 11, False)]
        assert made.due() is not None
        assert self.wants(made, clock=100 * SECOND + 19_999_999) == []
        assert self.wants(made, clock=100 * SECOND + 20_000_000) == [("", 11, True)]
        assert made.due() is None

    def test_what_is_gone_or_judged_by_then_is_left_out(self) -> None:
        made = decoder()
        self.wants(made, *(image(pid=p) for p in (11, 12, 13)), record("procexit", tgid=11), image(pid=12, exec_id=2), clock=100 * SECOND)
        process = made.table.get(13)
        assert process is not None
        process.judged = (0,)
        assert self.wants(made, clock=200 * SECOND) == [("", 12, True)]

    def test_the_facts_of_a_process_without_an_event(self) -> None:
        made = decoder()
        list(made.decode(batch(image(pid=11, uid=5, gid=6, loginuid=7, sid=8, tty=9, cgroup2=80, ppid=3), clock=100 * SECOND)))
        (got,) = [
            (e.uid, e.gid, e.loginuid, e.sid, e.tty, e.ppid, e.head, e.pending, e.image.name)
            for e in made.decode(batch(clock=200 * SECOND))
        ]
        assert got == (5, 6, 7, 8, 9, 3, (), False, "cat")

    def test_nothing_is_judged_without_a_judged_type(self) -> None:
        made = decoder(Kernel(image("task")), plan(judged=False))
        assert self.wants(made, image(pid=11), clock=200 * SECOND) == [("execve", 11, False)]

    def test_control_groups_of_rows_and_quiet_execs_are_known_to_verdicts(self) -> None:
        made = decoder(Kernel(image("task", cgroup2=500, group2="/system.slice")), plan(types=["openat"]))
        born = image(pid=11, cgroup=9, cgroup2=501, group="/pids", group2="/docker-abc")
        got = [(e.process.pid, e.cgroups) for e in made.decode(batch(born, clock=200 * SECOND))]
        assert got == [(10, "unified=/system.slice"), (11, "pids=/pids unified=/docker-abc")]


class TestAnotherPlan:
    """What `replan` prepares, and its commit changes."""

    def turned(self, kernel: Kernel, *, fields: list[str], judged: bool = True) -> Any:
        made = decoder(kernel, plan(fields=fields))
        list(made.decode(batch()))  # all are judged by the first plan
        replan = made.replan(dataclasses.replace(plan(judged=judged), generation=2))
        assert replan is not None
        taken = kernel.taken
        replan.commit()
        assert kernel.taken - taken <= 1
        return made

    def test_all_are_judged_again_but_those_whose_context_is_not_known(self) -> None:
        unlisted = r.Unlisted((20, 1, 5 * SECOND, b"thread", b""))
        made = self.turned(Kernel(image("task"), unlisted), fields=["proc.name"])
        assert [e.process.pid for e in made.decode(batch()) if e.wants_verdict] == [10]

    def test_none_is_judged_by_a_plan_that_judges_nothing(self) -> None:
        assert list(self.turned(Kernel(image("task")), fields=["proc.name"], judged=False).decode(batch())) == []

    def test_what_only_the_new_plan_reads_comes_from_a_snapshot(self) -> None:
        row = image("task")
        line = r.CommandLine((10, 5, 1, b"cat\0-n\0"))
        kernel = Kernel(row)
        made = decoder(kernel, plan(fields=["proc.name"]))
        replan = made.replan(dataclasses.replace(plan(), generation=2))
        assert replan is not None
        kernel.rows = [line, row]
        replan.commit()
        assert decode(made, opened(), read=lambda e: (e.image.name, e.image.cmdline, e.pending)) == [("cat", "cat -n", False)]

    def test_records_of_the_earlier_plan_are_read_as_it_was(self) -> None:
        made = decoder(Kernel(image("task")), plan(types=["openat"]))
        replan = made.replan(dataclasses.replace(plan(types=["openat", "execve"]), generation=2))
        assert replan is not None
        replan.commit()
        kinds = []
        for number in (1, 2, 0):
            each = batch(opened(), image(comm="sh", exec_id=number + 2))
            each.generation = number
            kinds.append([e.type for e in made.decode(each) if e.type])
        assert kinds == [["openat"], ["openat", "execve"], ["openat", "execve"]]


class TestPaths:
    def test_the_same_text(self) -> None:
        assert names(opened(flags=r.F_SAME, real="/etc/passwd")) == [["/etc/passwd"]]

    def test_another_text(self) -> None:
        assert names(opened(real="/etc/passwd", text="/tmp/link")) == [["/tmp/link", "/etc/passwd"]]

    def test_a_text_that_cleaned_is_the_same(self) -> None:
        assert names(opened(real="/etc/passwd", text="//etc/../etc/./passwd/")) == [["/etc/passwd"]]

    @pytest.mark.parametrize(
        ("base", "text", "name"), [("/home/u", "../x", "/home/x"), ("/", "x", "/x"), ("/a", ".", "/a"), ("/a", "b//c", "/a/b/c")]
    )
    def test_relative_texts(self, base: str, text: str, name: str) -> None:
        assert names(opened(real="/real", text=text, base=base)) == [[name, "/real"]]

    def test_a_bind_mount(self) -> None:
        mounts = r.Mounts(
            b"22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n23 22 8:2 / /data rw - ext4 /dev/sdb rw\n"
            b"24 22 8:1 /etc /tmp/x rw - ext4 /dev/sda1 rw\n"
        )
        kernel = Kernel(mounts, image("task"))
        root, data = 8 << 20 | 1, 8 << 20 | 2
        assert names(
            opened(flags=r.F_SAME, real="/tmp/x/shadow", origin="/etc/shadow", device=root),
            opened(real="/tmp/x/shadow", text="/link", origin="/etc/shadow", device=root),
            opened(flags=r.F_SAME, real="/mnt/y", origin="/z/y", device=data),
            kernel=kernel,
        ) == [["/tmp/x/shadow", "/etc/shadow"], ["/link", "/tmp/x/shadow", "/etc/shadow"], ["/mnt/y", "/data/z/y"]]  # fmt: skip
        assert kernel.taken == 1

    def test_a_mount_that_is_new_is_looked_up_once_a_batch(self) -> None:
        kernel = Kernel(image("task"))
        event = opened(flags=r.F_SAME, real="/x/y", origin="/y", device=8 << 20 | 3)
        assert names(event, event, kernel=kernel) == [["/x/y"]] * 2
        assert kernel.taken == 2

    def test_a_failed_open_has_no_path(self) -> None:
        made = decoder(Kernel(image("task")))
        first = opened(real="/a", text="/b")
        got = decode(
            made,
            first,
            opened(result=-2, text="/no"),
            opened(result=-14, flags=r.F_TEXT),
            read=lambda e: (e.name, e.nameraw, e.realpath, e.views),
        )
        assert got == [("/b", "/b", "/a", 2), (None, "/no", None, 1), (None, None, None, 1)]

    def test_a_path_that_is_cut_leaves_the_text(self) -> None:
        made = decoder(Kernel(image("task")))
        got = decode(made, opened(flags=r.F_CUT, real="deep", text="/a"), read=lambda e: (views(e), e.realpath, e.pending))
        assert got == [(["/a", PENDING], PENDING, True)]

    def test_no_view_is_left_from_the_event_before(self) -> None:
        made = decoder(Kernel(image("task")))
        got = decode(made, opened(real="/a", text="/b"), record("procexit", tgid=99), connected("1.2.3.4", 80), read=views)
        assert got == [["/b", "/a"], [None], ["0.0.0.0:40000->1.2.3.4:80"]]


class TestSockets:
    def test_ipv4(self) -> None:
        assert names(connected("1.2.3.4", 80, own="10.0.0.1")) == [["10.0.0.1:40000->1.2.3.4:80"]]

    def test_ipv6(self) -> None:
        assert names(connected("fd00::1", 443, own="fd00::2")) == [["fd00::2:40000->fd00::1:443"]]

    def test_mapped(self) -> None:
        assert names(connected("::ffff:1.2.3.4", 80, own="::ffff:10.0.0.1")) == [["10.0.0.1:40000->1.2.3.4:80"]]

    def test_unix(self) -> None:
        event = record("connect", a={0: socket.AF_UNIX, 1: 3 | 0o140777 << 32}, text="/run/docker.sock")
        assert names(event) == [["/run/docker.sock"]]

    def test_dup(self) -> None:
        socket_, file = connected("1.2.3.4", 80, own="10.0.0.1", kind="dup2", result=1), record("dup", result=4, real="/etc/shadow")
        assert names(socket_, file) == [
            ["10.0.0.1:40000->1.2.3.4:80"], ["/etc/shadow"],
        ]  # fmt: skip

    def test_no_socket(self) -> None:
        assert names(record("connect", result=-9, a={1: 0xFFFFFFFF})) == [[None]]


class TestAncestors:
    def made(self) -> tuple[Any, Kernel]:
        kernel = Kernel(
            image("task", pid=1, ppid=0, start=1, comm="init"), image("task", pid=5, ppid=1, start=2, comm="sshd"),
            image("task", pid=10, ppid=5, start=5, comm="bash"),
        )  # fmt: skip
        return decoder(kernel), kernel

    def test_up_to_the_top(self) -> None:
        made, kernel = self.made()
        got = decode(made, opened(ppid=5), read=lambda e: ([p.image.name for p in e.ancestors()], e.parent_image().name))
        assert got == [(["sshd", "init"], "sshd")]
        assert kernel.taken == 1

    def test_a_gap_is_repaired_once_a_batch(self) -> None:
        made, kernel = self.made()
        got = decode(made, *[opened(ppid=77)] * 3, read=lambda e: (e.ancestors(), e.parent_image()))
        assert got == [([], PENDING)] * 3
        assert kernel.taken == 2

    def test_a_pid_that_was_used_again_is_no_parent(self) -> None:
        made, kernel = self.made()
        kernel.rows = []
        made.replay(image(pid=5, start=900, comm="evil"))
        assert decode(made, opened(ppid=5), read=lambda e: e.parent_image()) == [PENDING]

    def test_the_top(self) -> None:
        made, kernel = self.made()
        assert decode(made, opened(tgid=1, start=1, ppid=0), read=lambda e: (e.ancestors(), e.parent_image())) == [([], None)]
        assert kernel.taken == 1


def test_describe() -> None:
    made = decoder(Kernel(image("task")))
    (got,) = decode(made, opened(real="/a", text="b", base="/c"), read=made.describe)
    assert got["type"] == "openat"
    assert (got["strings"]["real"], got["strings"]["text"], got["strings"]["base"]) == ("/a", "b", "/c")


def test_unknown_is_nobodys_image() -> None:
    assert UNKNOWN.name is PENDING
    assert UNKNOWN.cmdline is PENDING
