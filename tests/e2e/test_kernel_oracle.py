"""The sensor agrees with the slow reference evaluator on random rules and real events: no alert is missing, none is too many.

Programs do deeds of which every fact is known (tests/e2e/hard/deeds.py), once right after their exec, when only scalars and places are
judged in the kernel, and once when they have their verdict there. Each rule is about one program or two, so that for most events one rule or
none is left, and a wrong bit in the kernel loses an alert. `TIERCEL_ORACLE_SEED` repeats a run; script/soak makes many.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import IN_CI
from tests.e2e.hard import deeds
from tests.e2e.hard.harness import MS_BIND, compiled, libc, mount, root_folder, watching
from tests.oracle.kernel_rules import RandomRule, Rules, matches, text_of

pytestmark = [pytest.mark.live, pytest.mark.slow]

ROUNDS = 6
RULES = 16
"""Rules that any check may occur in."""
MIXED = 4
"""Programs that these are about; about one there is none, about each of the others one simple rule for each type of event."""
SEED = int(os.environ.get("TIERCEL_ORACLE_SEED") or (20_260_101 if IN_CI else random.SystemRandom().randrange(1 << 32)))
KEY = "proc.name evt.type evt.rawres fd.num fd.name fd.nameraw"
"""What tells which deed an alert is about."""
CHECKED = (
    "proc.exepath proc.exe proc.args proc.cmdline user.uid group.gid user.loginuid proc.tty proc.sid proc.vpid container.id proc.pname "
    "proc.aname[2] evt.res evt.failed evt.is_open_read evt.is_open_write fd.type fd.typechar fd.l4proto fd.sport fd.realpath fd.directory "
    "fd.filename"
)
"""What else is compared, in every other round: reading fields has the kernel collect them."""
GROUPS = Path("/sys/fs/cgroup")
RARE = ("open", "openat2", "creat", "connect", "dup", "dup3")
"""Calls that hardly anybody else makes: what the kernel counts are our deeds."""

View = dict[str, Any]


@contextmanager
def place() -> Iterator[deeds.Place]:
    """The folder of the deeds, with what listens and the bind mount."""
    with root_folder() as folder, ExitStack() as stack:
        listeners = [
            stack.enter_context(socket.create_server(("0.0.0.0", 0), backlog=2048)),
            stack.enter_context(socket.socket(socket.AF_INET6)),
            stack.enter_context(socket.socket(socket.AF_UNIX)),
        ]
        port = listeners[0].getsockname()[1]
        listeners[1].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listeners[1].bind(("::1", port))
        listeners[2].bind(str(folder / "sock"))
        for listener in listeners[1:]:
            listener.listen(2048)
        (folder / "sock").chmod(0o666)
        closed = next(p for p in range(port % 20_000 + 1024, 60_000) if p != port and not _answers(p))
        found = deeds.Place(folder, {"open": port, "closed": closed})
        found.make()
        mount(folder / "a", folder / "mnt", flags=MS_BIND)
        stack.callback(libc.umount2, str(folder / "mnt").encode(), 2)
        yield found


def _answers(port: int) -> bool:
    with socket.socket() as four, socket.socket(socket.AF_INET6) as six:
        return four.connect_ex(("127.0.0.1", port)) == 0 or six.connect_ex(("::1", port)) == 0


@contextmanager
def control_group(container: str) -> Iterator[Path]:
    base = GROUPS / "pids" if (GROUPS / "pids").is_dir() else GROUPS
    path = base / f"docker-{container}.scope"
    path.mkdir()
    try:
        yield path
    finally:
        path.rmdir()


def programs(folder: Path, binary: Path, terminal: Path, group: Path, container: str, rng: random.Random) -> list[deeds.Program]:
    """Programs with names and contexts of their own."""
    made: list[deeds.Program] = []
    launchers = [folder / name for name in ("nurse", "mother-of-all-the-others")]
    for launcher in launchers:
        shutil.copy(binary, launcher)
    contexts: list[dict[str, Any]] = [
        {}, {"uid": deeds.NOBODY, "gid": deeds.NOBODY}, {"loginuid": 1000}, {"own_session": True}, {"terminal": terminal},
        {"group": group, "container": container[:12]}, {"launcher": launchers[0]}, {"launcher": launchers[1], "new_pids": True},
        {"uid": 1, "gid": 100, "launcher": launchers[0]}, {"gid": 7, "loginuid": 0, "group": group, "container": container[:12]},
    ]  # fmt: skip
    for number, context in enumerate(contexts):
        word = "".join(rng.choices("abcxyz", k=3))
        name = f"{word}{number}{'-with-a-long-name' * (number == 2)}"
        path = folder / rng.choice(("bin", "sbin")) / name
        path.parent.mkdir(exist_ok=True)
        shutil.copy(binary, path)
        arguments = rng.sample(("--all", "-v", "serve", "a b", "/etc/hosts", "", "é", "x" * 300), rng.randrange(4))
        made.append(deeds.Program(path, (rng.choice((name, str(path), "other")), *arguments), **context))
    return made


def perform(found: deeds.Place, scripts: list[tuple[deeds.Program, list[deeds.Deed]]]) -> list[tuple[deeds.Facts, list[deeds.Done]]]:
    for file in (found.folder / "out").iterdir():
        file.unlink()
    running = [program.run(script) for program, script in scripts]
    return [each.end() for each in running]


def rules_text(rules: list[RandomRule], *, full: bool) -> str:
    output = " ".join(f"{name}=%{name}" for name in f"{KEY} {CHECKED if full else ''}".split())
    return yaml.safe_dump(
        [
            {"rule": r.name, "desc": "random", "condition": text_of(r.condition), "output": output, "priority": "NOTICE"}
            for r in rules
        ],
        allow_unicode=True,
    )  # fmt: skip


def key(facts: Mapping[str, Any]) -> tuple[Any, ...]:
    """A deed, or several of the same text that failed alike."""
    return (
        *(facts[name] for name in KEY.split()[:5]),
        facts["fd.nameraw"] if facts["evt.type"] in deeds.OPENS and facts["evt.rawres"] < 0 else None,
    )  # fmt: skip


def statistics(text: str) -> dict[str, dict[str, int]]:
    """The kernel's counters by event type, of what a sensor says at its end."""
    lines = [line.split() for line in text.splitlines()]
    heads = next(line[2:] for line in lines if line[:2] == ["event", "type"])
    rows = [line for line in lines if len(line) == len(heads) + 1 and all(word.isdigit() for word in line[1:])]
    return {line[0]: dict(zip(heads, map(int, line[1:]), strict=True)) for line in rows}


def play(installed: Path, binary: Path, seed: int, *, full: bool) -> Counter[str]:
    """One round: what the kernel dropped by, and how many deeds and alerts there were."""
    rng = random.Random(seed)
    container = "".join(rng.choices("0123456789abcdef", k=64))
    master, slave = os.openpty()
    try:
        with place() as found, control_group(container) as group:
            scripts = [
                (p, found.script(p.path.name, rng))
                for p in programs(found.folder, binary, Path(os.ttyname(slave)), group, container, rng)
            ]  # fmt: skip
            tried = perform(found, scripts)
            maker = Rules(rng, [(facts, [[{**facts, **d.of(v)} for v in range(len(d.views))] for d in some]) for facts, some in tried])
            numbers = rng.sample(range(len(scripts)), len(scripts))
            rules = [maker.mixed(f"mixed-{number}", numbers[:MIXED]) for number in range(RULES)]
            rules += [rule for number in numbers[MIXED:-1] for rule in maker.alone(number)]
            with watching(installed, found.folder, rules_text(rules, full=full), options=("--rule-matching", "all")) as watch:
                watch.seen()
                performed = perform(found, scripts)
                alerts = watch.seen(40)
            counts = statistics(watch.sensor.text())
    finally:
        os.close(master)
        os.close(slave)
    expected: Counter[tuple[Any, ...]] = Counter()
    by_key: defaultdict[tuple[Any, ...], list[View]] = defaultdict(list)
    total = 0
    for facts, some in performed:
        for each in some:
            total += 1
            views = [{**facts, **each.of(v)} for v in range(len(each.views))]
            for view in views:
                by_key[key(view)].append(view)
            for rule in rules:
                if (first := matches(rule.meaning, views)) is not None:
                    expected[rule.name, *key(views[first])] += 1
    got = Counter((a["rule"], *key(a["output_fields"])) for a in alerts)
    where = f"seed {seed}"
    texts = {rule.name: text_of(rule.condition) for rule in rules}
    for title, some_of in (("missing", expected - got), ("too many", got - expected)):
        assert not some_of, f"{where}: {len(some_of)} alerts {title}:\n" + "\n".join(
            f"{name} {what}\n    {texts[name]}\n    {by_key[tuple(what)]}" for name, *what in list(some_of)[:6]
        )
    if full:
        for alert in alerts:
            fields = alert["output_fields"]
            wrong = [{n: (fields[n], view[n]) for n in CHECKED.split() if fields[n] != view[n]} for view in by_key[key(fields)]]
            assert not all(wrong), f"{where}: {key(fields)}: got, expected: {wrong}"
    result = Counter({"deeds": total, "alerts": sum(got.values())})
    for kind in RARE:
        result.update({name: counts.get(kind, {}).get(name, 0) for name in ("-process", "-scalars", "-place", "passed", "lost")})
    return result


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled("deeds.c", tmp_path_factory.mktemp("deeds") / "deeds", "-static")


def judge(counts: Counter[str], rounds: int) -> None:
    """The round proves something: there was something to find, and much was dropped in the kernel for each reason."""
    assert counts["alerts"] > 100 * rounds, counts
    assert counts["lost"] == 0, counts
    for reason in ("-process", "-scalars", "-place"):
        assert counts[reason] > 5 * rounds, (reason, counts)


@pytest.mark.timeout(300)
def test_kernel_and_oracle_agree(installed: Path, binary: Path) -> None:
    counts = Counter[str]()
    for number in range(ROUNDS):
        print(f"TIERCEL_ORACLE_SEED={SEED + number}")
        counts += play(installed, binary, SEED + number, full=number % 2 == 0)
    print(dict(counts))
    judge(counts, ROUNDS)


@pytest.mark.soak
def test_kernel_and_oracle_agree_for_long(installed: Path, binary: Path) -> None:
    seconds = float(os.environ.get("TIERCEL_SOAK_SECONDS", "600"))
    end, number, counts = time.monotonic() + seconds, 0, Counter[str]()
    while time.monotonic() < end:
        counts += play(installed, binary, SEED + 1000 + number, full=number % 2 == 0)
        number += 1
    print(f"kernel and oracle: {number} rounds from seed {SEED + 1000}, {dict(counts)}")
    judge(counts, number)
