"""The sensor in a container: the image is built and run by podman, and watches this host from inside."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.kubelet import Pod
from tests.e2e.podman import Podman

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(300)]

PACKAGING = "core/tiercel/packaging"
BASE = "localhost/tiercel-test/debian:12"
IMAGE = "localhost/tiercel-test/tiercel"
NAMED = "registry.example.org/tiercel:0.1.0"
"""In the manifests, where people put theirs."""
RULES = """\
- rule: File read
  desc: d
  condition: evt.type in (open, openat, openat2) and fd.name startswith "{folder}/watched/"
  output: read (file=%fd.name user=%user.name container=%container.id)
  priority: NOTICE
"""


@pytest.fixture(scope="module")
def podman(live_kernel: None, repository: Path) -> Iterator[Podman]:
    """Podman with the image, built as docs/deploying.md says, but on this machine's Debian and from wheels at hand: without a network."""
    folder = Path(tempfile.mkdtemp(prefix="tiercel-", dir="/var/lib"))
    folder.chmod(0o755)
    podman = Podman(folder)
    try:
        podman.base(BASE)
        wheels = folder / "wheels"
        project = tomllib.loads((repository / "pyproject.toml").read_text())
        wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--dest", wheels, *wanted]
        subprocess.run(download, check=True, stdin=subprocess.DEVNULL)
        (folder / "pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n")
        podman(
            "build", "--quiet", "--format=docker", "--network=none", f"--build-arg=BASE={BASE}", f"--tag={IMAGE}",
            f"--volume={wheels}:/wheels:ro", f"--volume={folder}/pip.conf:/etc/pip.conf:ro",
            "--file", repository / PACKAGING / "container/Containerfile", repository, timeout=280,
        )  # fmt: skip
        yield podman
    finally:
        podman.clear()
        shutil.rmtree(folder)


class Contained:
    """A running container with the sensor."""

    def __init__(self, podman: Podman, container: str) -> None:
        self.podman, self.id = podman, container
        self.supervisor = int(podman("inspect", "--format={{.State.Pid}}", container))

    @property
    def sensor(self) -> int:
        """Its pid on the host."""
        [pid] = Path(f"/proc/{self.supervisor}/task/{self.supervisor}/children").read_text().split()
        return int(pid)

    def alerts(self) -> list[dict[str, object]]:
        """The fields of its alerts so far."""
        return [json.loads(line)["output_fields"] for line in self.podman("logs", self.id).splitlines()]

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end, f"waited for {what}: {self.podman.attempt('logs', self.id)}"
            time.sleep(0.2)

    def status(self, pid: int, key: str) -> str:
        """A line of /proc/PID/status."""
        [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(f"{key}:")]
        return line.split(":")[1].strip()


@contextmanager
def contained(podman: Podman, *options: str) -> Iterator[Contained]:
    """The sensor in a container."""
    with podman.running(*options) as container:
        sensor = Contained(podman, container)
        sensor.wait_for(lambda: "watching" in podman.attempt("logs", container).stderr, "the sensor")
        yield sensor


def documented(repository: Path) -> list[str]:
    """The options of `podman run` in docs/deploying.md, but those that the test chooses."""
    [text] = re.findall(r"^podman run (.+)$", (repository / "docs/deploying.md").read_text().replace("\\\n", " "), re.MULTILINE)
    *options, image = shlex.split(text)
    assert image == "tiercel"
    return [option for option in options if not option.startswith(("--network=host", "--detach", "--name", "tiercel"))]


def read_as(uid: int, path: Path) -> None:
    """Opens a file as another user of this host."""
    subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "cat", path], check=True)


def test_it_watches_the_host_from_its_container(podman: Podman, repository: Path, folder: Path) -> None:
    (folder / "watched").mkdir()
    (folder / "etc").mkdir()
    (folder / "etc/rules.yaml").write_text(RULES.format(folder=folder))
    (folder / "etc/tiercel.yaml").write_text("rules_files: [/etc/tiercel/rules.yaml]\noutputs:\n  stdout: {format: json}\n")
    (folder / "passwd").write_text("somebody:x:54321:54321::/home/somebody:/bin/sh\n")
    places = {"=/etc/tiercel:": f"={folder}/etc:", "=/etc/passwd:": f"={folder}/passwd:", "=$(hostname)": "=node-1"}
    places["=core/"] = f"={repository}/core/"
    options = documented(repository)
    for host, ours in places.items():
        [index] = [index for index, option in enumerate(options) if host in option]
        options[index] = options[index].replace(host, ours)
    with contained(podman, *options, IMAGE) as sensor:
        file = folder / "watched/file"
        file.write_text("")
        read_as(54321, file)
        podman("run", "--rm", "--network=none", f"--volume={file}:{file}", "--entrypoint=/bin/cat", IMAGE, file)
        sensor.wait_for(lambda: sensor.alerts()[-1:] and sensor.alerts()[-1]["container.id"] != "host", "the alert of the container")
        # Whoever makes a container opens what it mounts; who is in one is told by the host's control groups.
        first, second, *_, last = sensor.alerts()
        assert {first["fd.name"], second["fd.name"], last["fd.name"]} == {str(file)}
        assert (first["user.name"], second["user.name"]) == ("root", "somebody")  # names are the host's, as mounted
        assert (first["container.id"], second["container.id"], len(str(last["container.id"]))) == ("host", "host", 12)
        assert json.loads(podman("logs", sensor.id).splitlines()[0])["hostname"] == "node-1"

        assert int(sensor.status(sensor.supervisor, "CapEff"), 16) == 1 << 39 | 1 << 38 | 1 << 7 | 1 << 6 | 1 << 5
        assert int(sensor.status(sensor.sensor, "CapEff"), 16) == 0
        assert "0" not in sensor.status(sensor.sensor, "Uid").split()
        assert {sensor.status(pid, "Seccomp") for pid in (sensor.supervisor, sensor.sensor)} == {"2"}
        assert sensor.status(sensor.supervisor, "NoNewPrivs") == "1"
        for path in ("/etc/tiercel/x", "/opt/tiercel/x", "/x"):
            assert "Read-only file system" in podman.attempt("exec", sensor.id, "touch", path).stderr

        assert podman.attempt("healthcheck", "run", sensor.id).returncode == 0
        pid = sensor.sensor
        os.kill(pid, signal.SIGSTOP)
        try:
            assert podman.attempt("healthcheck", "run", sensor.id).returncode == 1
        finally:
            os.kill(pid, signal.SIGCONT)
        podman("stop", "--time=20", sensor.id)
        assert podman("inspect", "--format={{.State.ExitCode}}", sensor.id) == "0"


def test_the_daemon_set_watches_its_node(podman: Podman, repository: Path, folder: Path) -> None:
    (folder / "watched").mkdir()
    manifests = (repository / PACKAGING / "kubernetes/tiercel.yaml").read_text()
    pod = Pod(manifests.replace(NAMED, IMAGE), folder / "node", {"rules.yaml": RULES.format(folder=folder)})
    [prepare], [main] = pod.spec["initContainers"], pod.spec["containers"]
    for _ in range(2):  # again on a node that had the sensor before
        podman("run", "--rm", *pod.options(prepare))
    with contained(podman, *pod.options(main)) as sensor:
        (folder / "watched/file").write_text("")
        sensor.wait_for(sensor.alerts, "the alert")
        [alert] = [json.loads(line) for line in podman("logs", sensor.id).splitlines()]
        assert (alert["rule"], alert["hostname"], alert["output_fields"]["user.name"]) == ("File read", "node-1", "root")
        assert list((folder / "node/var/lib/tiercel").iterdir())  # the spool
        pod.update({"rules.yaml": RULES.format(folder=folder).replace("File read", "Other name")})
        sensor.wait_for(lambda: '"Tiercel internal: reloaded"' in podman("logs", sensor.id), "the reload")
        (folder / "watched/file").write_text("")
        sensor.wait_for(lambda: '"Other name"' in podman("logs", sensor.id), "the alert of the changed rule")
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            url = f"http://127.0.0.1:{main['ports'][0]['containerPort']}{main[kind]['httpGet']['path']}"
            ask = f"import urllib.request as r; print(r.urlopen('{url}').status)"
            assert podman("exec", sensor.id, "/usr/bin/python3", "-c", ask) == "200"
        assert sum(1 for each in Path(f"/proc/{sensor.sensor}/net/tcp").read_text().splitlines() if " 00000000:1E55 " in each) == 1
        podman("stop", "--time=20", sensor.id)
        assert podman("inspect", "--format={{.State.ExitCode}}", sensor.id) == "0"


def test_a_container_with_process_ids_of_its_own_is_told(podman: Podman, repository: Path) -> None:
    done = podman.attempt("run", "--rm", "--network=none", IMAGE, "doctor")
    assert done.returncode == 1
    missing = [line for line in done.stdout.splitlines() if line.startswith("missing")]
    assert missing == ["missing  process ids: a container's; start the container with --pid=host, or hostPID: true"]
    options = [option for option in documented(repository) if option.startswith("--cap-")]
    done = podman.attempt("run", "--rm", *options, "--security-opt=seccomp=unconfined", IMAGE, "run", "--duration=1")
    assert done.returncode == 0
    assert "/proc is a container's" in done.stderr


def test_the_image_holds_what_runs_and_no_more(podman: Podman) -> None:
    def inside(script: str) -> str:
        return podman("run", "--rm", "--network=none", "--entrypoint=/bin/sh", IMAGE, "-c", script)

    assert inside("ls -d /source /opt/tiercel/lock /var/lib/apt/lists/* 2>/dev/null | wc -l") == "0"
    assert inside("/opt/tiercel/venv/bin/python3 -c 'import pip' 2>&1 | tail -1").endswith("No module named 'pip'")
    assert inside("stat --format='%U %a' /var/lib/tiercel /var/cache/tiercel /etc/tiercel").splitlines() == [
        "tiercel 700", "root 700", "root 755"
    ]  # fmt: skip
    # Nothing writes as root, or becomes root, by a file that others could change.
    assert inside("find /opt /usr/local /etc/tiercel ! -user root -o -perm /022 ! -type l") == ""
