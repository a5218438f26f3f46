"""Whatever name a watched file is opened by, each open makes exactly one alert. Each form of a condition has a directory of its own
that no other rule watches, so that what the kernel drops for one form is not seen by luck of another."""

# System calls by their own names are what is tested.
from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.hard.harness import (
    MS_BIND,
    OPENS,
    Watch,
    checked,
    compiled,
    in_child,
    libc,
    mount,
    own_mounts,
    read,
    root_folder,
    rule,
    watching,
)  # fmt: skip

pytestmark = pytest.mark.live

KINDS = ("exact", "prefix", "directory", "filename", "realpath", "pmatch")
NAMES = ("secret", "made", "moved", "long" + "g" * 200)
DEPTHS = (30, 100, 1900)
"""More parts than the kernel program looks at in one run; more than twice that; longer than a value in a rule may be."""
SYS_OPEN, SYS_CREAT, SYS_OPENAT2 = 2, 85, 437
RESOLVE_NO_SYMLINKS = 4


def names(kind: str) -> list[str]:
    return [f"{name}-{kind}" for name in (*NAMES, "deep")]


def directory(folder: Path, kind: str, depth: int = 0) -> Path:
    return folder.joinpath(kind, *["d"] * depth)


def target(folder: Path, kind: str, name: str = "secret", depth: int = 0) -> Path:
    return directory(folder, kind, depth) / f"{name}-{kind}"


def conditions(folder: Path) -> dict[str, str]:
    def files(kind: str) -> str:
        paths = [target(folder, kind, n) for n in NAMES] + [target(folder, kind, "deep", d) for d in DEPTHS[:2]]
        return ", ".join(map(str, paths))

    return {
        "exact": f"fd.name in ({files('exact')})",
        "prefix": f"fd.name startswith {folder}/prefix/",
        "directory": f"fd.directory in ({', '.join(str(directory(folder, 'directory', d)) for d in (0, *DEPTHS[:2]))})",
        "filename": f"fd.filename in ({', '.join(names('filename'))})",
        "realpath": f"fd.realpath in ({files('realpath')})",
        "pmatch": f"fd.name pmatch ({folder}/pmatch)",
        "except": f"fd.name startswith {folder}/except/ and not fd.name in ({folder}/except/allowed, {folder}/except/alias)",
    }


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("programs")
    compiled("calls.c", path / "calls")
    return path


@pytest.fixture(scope="module")
def watch(installed: Path, live_kernel: None, programs: Path) -> Iterator[Watch]:
    with root_folder() as folder:
        for kind in (*KINDS, "except"):
            directory(folder, kind).mkdir()
            for name in NAMES:
                shutil.copy(programs / "calls", target(folder, kind, name))
            os.symlink(directory(folder, kind), folder / f"to-{kind}")
            os.symlink(target(folder, kind), folder / f"file-{kind}")
            (folder / f"bind-{kind}").mkdir()
            (folder / f"bound-{kind}").touch()
            for depth in DEPTHS:
                subprocess.run(["mkdir", "-p", directory(folder, kind, depth)], check=True)  # Python's own is recursive
                target(folder, kind, "deep", depth).touch()
        (folder / "except" / "allowed").touch()
        os.symlink(folder / "except" / "secret-except", folder / "except" / "alias")
        rules = "".join(rule(kind, f"{OPENS} and {condition} and proc.name != nobody") for kind, condition in conditions(folder).items())
        rules += rule("failed", "evt.type in (open, openat, openat2, creat) and proc.name = fails and evt.failed = true",
                      "evt.res evt.rawres fd.num evt.arg.name evt.failed")  # fmt: skip
        with watching(installed, folder, rules) as found:
            found.seen()
            yield found


# Ways to open a file: each gets the folder, the kind and the file's path, opens it once, and returns the text that it used.
Way = Callable[[Path, str, Path], str | Path]


def absolute(folder: Path, kind: str, path: Path) -> Path:
    read(path)
    return path


def opened_by_path_only(folder: Path, kind: str, path: Path) -> Path:
    read(path, os.O_PATH)
    return path


def symlink(folder: Path, kind: str, path: Path) -> Path:
    link = folder / f"file-{kind}"
    read(link)
    return link


def symlinked_directory(folder: Path, kind: str, path: Path) -> Path:
    text = folder / f"to-{kind}" / path.name
    read(text)
    return text


def dotted(folder: Path, kind: str, path: Path) -> str:
    text = f"{folder}/to-{kind}/../{kind}/./d/..//{path.name}"
    read(text)
    return os.path.normpath(text)


def dots_behind_a_symlink(folder: Path, kind: str, path: Path) -> str:
    """By its text alone, it leads somewhere else: `..` follows the symbolic link."""
    os.symlink(directory(folder, kind) / "d", folder / f"into-{kind}")
    try:
        read(f"{folder}/into-{kind}/../{path.name}")
    finally:
        os.unlink(folder / f"into-{kind}")
    return f"{folder}/{path.name}"


def long_text(folder: Path, kind: str, path: Path) -> Path:
    text = f"{path.parent}{'/.' * 1500}/{path.name}"
    read(text)
    return path


def relative(folder: Path, kind: str, path: Path) -> Path:
    def act() -> None:
        os.chdir(path.parent)
        read(path.name)

    in_child(act)
    return path


def relative_from_above(folder: Path, kind: str, path: Path) -> Path:
    def act() -> None:
        os.chdir(folder / "bind-exact")
        read(f"../{kind}/{path.name}")

    in_child(act)
    return path


def of_a_directory_descriptor(folder: Path, kind: str, path: Path) -> Path:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        read(f"{kind}/{path.name}", dir_fd=handle)
    finally:
        os.close(handle)
    return path


def through_a_directory_descriptor(folder: Path, kind: str, path: Path) -> str:
    handle = os.open(folder, os.O_PATH)
    try:
        read(f"/proc/self/fd/{handle}/{kind}/{path.name}")
    finally:
        os.close(handle)
    return f"/proc/self/fd/{handle}/{kind}/{path.name}"


def through_the_root_of_a_process(folder: Path, kind: str, path: Path) -> str:
    text = f"/proc/{os.getpid()}/root{path}"
    read(text)
    return text


def own_executable(folder: Path, kind: str, path: Path) -> str:
    assert subprocess.run([path, "open", "/proc/self/exe"], stdout=subprocess.PIPE, check=True).stdout == b"1\n"
    return "/proc/self/exe"


def bound_directory(folder: Path, kind: str, path: Path) -> Path:
    def act() -> None:
        own_mounts()
        mount(path.parent, folder / f"bind-{kind}", flags=MS_BIND)
        read(folder / f"bind-{kind}" / path.name)

    in_child(act)
    return folder / f"bind-{kind}" / path.name


def bound_file(folder: Path, kind: str, path: Path) -> Path:
    def act() -> None:
        own_mounts()
        mount(path, folder / f"bound-{kind}", flags=MS_BIND)
        read(folder / f"bound-{kind}")

    in_child(act)
    return folder / f"bound-{kind}"


def bound_and_relative(folder: Path, kind: str, path: Path) -> Path:
    def act() -> None:
        own_mounts()
        mount(path.parent, folder / f"bind-{kind}", flags=MS_BIND)
        os.chdir(folder / f"bind-{kind}")
        read(path.name)

    in_child(act)
    return folder / f"bind-{kind}" / path.name


def in_a_root_of_its_own(folder: Path, kind: str, path: Path) -> str:
    def act() -> None:
        os.chroot(path.parent)
        os.chdir("/")
        read(f"/{path.name}")

    in_child(act)
    return f"/{path.name}"


def old_open(folder: Path, kind: str, path: Path) -> Path:
    os.close(checked(libc.syscall(SYS_OPEN, os.fsencode(path), os.O_RDONLY, 0)))
    return path


def openat2(folder: Path, kind: str, path: Path) -> Path:
    how = (ctypes.c_uint64 * 3)(os.O_RDONLY, 0, RESOLVE_NO_SYMLINKS)
    os.close(checked(libc.syscall(SYS_OPENAT2, -100, os.fsencode(path), how, ctypes.sizeof(how))))
    return path


def deleted(folder: Path, kind: str, path: Path) -> str:
    """A file that has no name any more, by its descriptor; opening it for that counts as well, and comes under its name."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.rename(path, folder / f"kept-{kind}")
        os.link(folder / f"kept-{kind}", path)
        os.unlink(path)
        os.rename(folder / f"kept-{kind}", path)
    finally:
        os.close(handle)
    return str(path)


WAYS: tuple[Way, ...] = (
    absolute, opened_by_path_only, symlink, symlinked_directory, dotted, dots_behind_a_symlink, long_text, relative, relative_from_above,
    of_a_directory_descriptor, through_a_directory_descriptor, through_the_root_of_a_process, own_executable, in_a_root_of_its_own,
    old_open, openat2,
)  # fmt: skip
BIND_WAYS: tuple[Way, ...] = (bound_directory, bound_file, bound_and_relative)


def found_names(watch: Watch) -> list[tuple[str, str, str]]:
    return [(a["rule"], a["output_fields"]["fd.name"], a["output_fields"]["fd.realpath"]) for a in watch.seen()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS, ids=lambda w: w.__name__)
def test_one_open_is_one_alert_under_the_name_that_the_rule_knows(watch: Watch, way: Way, kind: str) -> None:
    path = target(watch.folder, kind)
    text = way(watch.folder, kind, path)
    # A text that the rule does not know is shown only if the rule looks at the kernel's path, or at the last part that both share.
    by_text = kind == "realpath" or (kind == "filename" and Path(text).name == path.name)
    assert found_names(watch) == [(kind, str(text if by_text else path), str(path))]


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "realpath"])
@pytest.mark.parametrize("way", BIND_WAYS, ids=lambda w: w.__name__)
def test_a_bind_mount_in_a_namespace_of_its_own_does_not_hide_a_file(watch: Watch, way: Way, kind: str) -> None:
    path = target(watch.folder, kind)
    text = way(watch.folder, kind, path)
    shown = text if kind == "filename" and text.name == path.name else path  # type: ignore[union-attr]  # ways of binding return paths
    assert found_names(watch) == [(kind, str(shown), str(text))]


@pytest.mark.parametrize("kind", KINDS)
def test_creat_is_seen(watch: Watch, kind: str) -> None:
    path = target(watch.folder, kind, "made")
    os.close(checked(libc.syscall(SYS_CREAT, os.fsencode(path), 0o644)))
    (alert,) = watch.seen()
    assert (alert["rule"], alert["output_fields"]["evt.type"], alert["output_fields"]["fd.name"]) == (kind, "creat", str(path))


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_name_is_seen(watch: Watch, kind: str) -> None:
    path = target(watch.folder, kind, NAMES[3])
    assert len(path.name) < 256
    read(path)
    read(f"{watch.folder}/to-{kind}/{path.name}")
    shown = [(str(path), str(path)), (str(path), str(path))]
    if kind in ("filename", "realpath"):
        shown[1] = (f"{watch.folder}/to-{kind}/{path.name}", str(path))
    assert found_names(watch) == [(kind, *names) for names in shown]


@pytest.mark.parametrize(
    ("kind", "depth"), [(k, d) for k in KINDS for d in DEPTHS if d < DEPTHS[2] or k in ("prefix", "filename", "pmatch")]
)
def test_a_path_of_many_parts_is_seen(watch: Watch, kind: str, depth: int) -> None:
    path = target(watch.folder, kind, "deep", depth)
    link = watch.folder / "deep-link"
    os.symlink(path, link)

    def act() -> None:
        read(path)
        os.chdir(path.parent)
        read(path.name)
        read(link)

    try:
        in_child(act)
    finally:
        link.unlink()
    shown = str(link if kind == "realpath" else path)
    assert found_names(watch) == [(kind, str(path), str(path)), (kind, str(path), str(path)), (kind, shown, str(path))]


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "filename"])
def test_a_directory_too_deep_for_any_path_hides_nothing(watch: Watch, kind: str) -> None:
    """The start of a relative name cannot be told: what the kernel knows of the file itself counts."""
    path = target(watch.folder, kind)

    def act() -> None:
        os.chdir(watch.folder)
        for _ in range(20):
            os.mkdir("x" * 250)
            os.chdir("x" * 250)
        os.symlink(path, "link")
        read("link")

    try:
        in_child(act)
        (alert,) = watch.seen()
    finally:
        subprocess.run(["rm", "-rf", watch.folder / ("x" * 250)], check=True)
    assert (alert["rule"], alert["output_fields"]["fd.realpath"]) == (kind, str(path))


@pytest.mark.parametrize("kind", KINDS)
def test_a_deleted_file_is_seen_under_its_last_name(watch: Watch, kind: str) -> None:
    path = target(watch.folder, kind)
    handle = os.open(path, os.O_RDONLY)
    keep = watch.folder / f"kept-{kind}"
    shutil.copy(path, keep)
    watch.seen()
    try:
        os.unlink(path)
        text = f"/proc/self/fd/{handle}"
        read(text)
        assert found_names(watch) == [(kind, text if kind == "realpath" else str(path), str(path))]
    finally:
        os.close(handle)
        os.rename(keep, path)


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "realpath"])
def test_renames_during_opens_hide_none(watch: Watch, kind: str, programs: Path) -> None:
    """Each open under the watched name makes one alert, whatever the file is called by the time of the look."""
    path, away = target(watch.folder, kind, "moved"), watch.folder / f"away-{kind}"
    pid = os.fork()
    if pid == 0:
        try:
            while True:
                os.rename(path, away)
                os.rename(away, path)
        finally:
            os._exit(1)
    try:
        done = subprocess.run([programs / "calls", "openat", path, "4000"], stdout=subprocess.PIPE, check=True)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        if away.exists():
            os.rename(away, path)
    opened = int(done.stdout)
    alerts = watch.seen()
    assert opened > 0
    assert len(alerts) == opened
    assert {(a["rule"], a["output_fields"]["fd.name"]) for a in alerts} == {(kind, str(path))}
    assert {a["output_fields"]["proc.name"] for a in alerts} == {"calls"}


@pytest.mark.parametrize("kind", ["prefix", "directory", "pmatch"])
@pytest.mark.parametrize("name", [b"\xff\xfe-bytes", "käse".encode(), "käse".encode("latin-1"), b"new\nline\x01", b'quote"\\'])
def test_any_bytes_are_a_name(watch: Watch, kind: str, name: bytes) -> None:
    path = os.fsencode(directory(watch.folder, kind)) + b"/" + name
    read(path, os.O_CREAT | os.O_WRONLY)
    os.unlink(path)
    shown = path.decode(errors="replace") if name != b"\xff\xfe-bytes" else f"{directory(watch.folder, kind)}/\ufffd\ufffd-bytes"
    assert found_names(watch) == [(kind, shown, shown)]


def test_failed_opens_say_why(watch: Watch, programs: Path) -> None:
    program = watch.folder / "fails"
    shutil.copy(programs / "calls", program)
    missing = watch.folder / "exact" / "none"
    loop = watch.folder / "loop"
    os.symlink(loop, loop)
    below = target(watch.folder, "exact") / "x"
    cases = [
        ("open", missing, "ENOENT", -2), ("openat", missing, "ENOENT", -2), ("openat2", missing, "ENOENT", -2),
        ("open", loop, "ELOOP", -40), ("openat", below, "ENOTDIR", -20), ("creat", directory(watch.folder, "exact"), "EISDIR", -21),
    ]  # fmt: skip
    for call, path, _, number in cases:
        assert int(subprocess.run([program, call, path], stdout=subprocess.PIPE, check=True).stdout) == number
    loop.unlink()
    found = [a["output_fields"] for a in watch.seen() if a["output_fields"]["evt.arg.name"].startswith(str(watch.folder))]
    wanted = [
        {
            "evt.type": call, "evt.res": res, "evt.rawres": number, "fd.num": number, "evt.arg.name": str(path), "fd.name": None,
            "evt.failed": True,
        }
        for call, path, res, number in cases
    ]  # fmt: skip
    assert [{name: each[name] for name in wanted[0]} for each in found] == wanted


def test_failed_opens_do_not_match_rules_on_paths(watch: Watch) -> None:
    for kind in KINDS:
        with pytest.raises(FileNotFoundError):
            read(directory(watch.folder, kind) / "none")
    with pytest.raises(FileExistsError):
        read(target(watch.folder, "exact"), os.O_CREAT | os.O_EXCL)
    assert watch.seen() == []


def test_an_exception_for_a_name_is_one_for_the_file_only(watch: Watch) -> None:
    inside = watch.folder / "except"
    read(inside / "allowed")
    os.symlink(inside / "allowed", watch.folder / "to-allowed")
    read(watch.folder / "to-allowed")
    assert watch.seen() == []
    read(inside / "alias")  # a symbolic link with an allowed name

    def act() -> None:
        own_mounts()
        mount(target(watch.folder, "except"), inside / "allowed", flags=MS_BIND)
        read(inside / "allowed")

    in_child(act)
    assert found_names(watch) == [
        ("except", str(target(watch.folder, "except")), str(target(watch.folder, "except"))),
        ("except", str(target(watch.folder, "except")), str(inside / "allowed")),
    ]
