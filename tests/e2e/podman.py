"""Podman, with storage of the test's own, and a Debian to build on that is made of the packages installed on this machine.

Nothing is pulled, no network is made: containers have none (``netns = "none"``), images are built without one. Limits of resources are what
this machine's root may set.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.conftest import lacking

ROOTS: Final = ("apt", "passwd", "python3", "python3-venv", "python3-bpfcc", "python3-yaml", "linux-libc-dev")
"""Besides the essential packages: what Debian's own images have, and what script/setup would install."""
LEFT_OUT: Final = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/info/")
DATABASE: Final = Path("/var/lib/dpkg")


class Podman:
    """Podman with its files below a directory.

    Args:
        folder: where to; on a file system that overlayfs can be stacked on.
    """

    def __init__(self, folder: Path) -> None:
        program = shutil.which("podman")
        if program is None:
            lacking("no podman; run script/setup --dev")
        self._program, self._folder = program, folder
        nofile = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 20_000)
        containers, storage = folder / "containers.conf", folder / "storage.conf"
        containers.write_text(
            f'[containers]\ndefault_ulimits = ["nofile={nofile}:{nofile}", "nproc=30000:30000"]\nnetns = "none"\n'
            '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nlock_type = "file"\n'
            f'tmp_dir = "{folder}/run/libpod"\n'
        )
        storage.write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/root"\nrunroot = "{folder}/run"\n')
        self._environment = os.environ | {
            "CONTAINERS_CONF": str(containers), "CONTAINERS_STORAGE_CONF": str(storage), "TMPDIR": str(folder),
        }  # fmt: skip

    def base(self, name: str) -> None:
        """Makes an image of this machine's Debian."""
        root, archive = self._folder / "debian", self._folder / "debian.tar"
        root.mkdir()
        debian(root)
        subprocess.run(["tar", "--create", f"--file={archive}", "--directory", root, "."], check=True)
        shutil.rmtree(root)
        self("import", archive, name)
        archive.unlink()

    def __call__(self, *arguments: str | Path, timeout: float = 110) -> str:
        """Runs a command of podman's, which must succeed; its standard output."""
        done = self.attempt(*arguments, timeout=timeout)
        assert done.returncode == 0, f"podman {arguments[0]}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def attempt(self, *arguments: str | Path, timeout: float = 110) -> subprocess.CompletedProcess[str]:
        """Runs a command of podman's."""
        return subprocess.run(
            [self._program, *map(str, arguments)], env=self._environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip

    @contextlib.contextmanager
    def running(self, *arguments: str | Path) -> Iterator[str]:
        """A container in the background, removed at the end; its id."""
        container = self("run", "--detach", *arguments)
        try:
            yield container
        finally:
            self("rm", "--force", "--time=15", container)

    def clear(self) -> None:
        """Removes all containers and images, and what is mounted for them."""
        self.attempt("rm", "--all", "--force")
        self.attempt("rmi", "--all", "--force")
        subprocess.run(["umount", self._folder / "root/overlay"], check=False, capture_output=True)


def closure(wanted: tuple[str, ...]) -> list[str]:
    """The installed packages that these need, themselves and the essential ones included (deb-control(5))."""
    form = "${db:Status-Status}\t${Package}\t${Essential}\t${Pre-Depends}, ${Depends}\t${Provides}\n"
    listing = subprocess.run(["dpkg-query", "--show", f"--showformat={form}"], capture_output=True, text=True, check=True).stdout
    depends: dict[str, str] = {}
    provided: dict[str, list[str]] = {}
    pending = list(wanted)
    for line in listing.splitlines():
        status, name, essential, needs, provides = line.split("\t")
        if status == "installed":
            depends[name] = needs
            pending += [name] if essential == "yes" else []
            for each in filter(None, provides.split(", ")):
                provided.setdefault(each.split()[0], []).append(name)
    found: set[str] = set()
    while pending:
        name = pending.pop()
        if name in found:
            continue
        if name not in depends:
            lacking(f"the package {name} is not installed; run script/setup --dev")
        found.add(name)
        for group in filter(None, re.split(r",\s*", depends[name])):
            choices = [choice.split()[0].split(":")[0] for choice in group.split("|")]
            pending += next(([c] if c in depends else provided[c] for c in choices if c in depends or c in provided), [])
    return sorted(found)


def debian(root: Path) -> None:
    """Makes a root file system of this machine's own packages: those that script/setup wants, and what they need."""
    packages = closure(ROOTS)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")
    for name in (
        "dev",
        "proc",
        "sys",
        "run",
        "tmp",
        "var/tmp",
        "var/lib/apt/lists/partial",
        "var/cache/apt/archives/partial",
        "etc",
        "root",
        "mnt",
        "usr/local/bin",
    ):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "var/tmp"):
        (root / name).chmod(0o1777)
    listed = subprocess.run(["dpkg-query", "--listfiles", *packages], capture_output=True, text=True, check=True).stdout.splitlines()
    own = [f"{DATABASE}/info/{name}" for name in os.listdir(DATABASE / "info") if name == "format" or _package(name) in packages]
    paths = {path for path in [*listed, *own] if path.startswith("/") and not path.startswith(LEFT_OUT) and os.path.lexists(path)}
    files = [_real(path) for path in paths if os.path.islink(path) or not os.path.isdir(path)]
    names = "\0".join(sorted(set(files))).encode()
    pack = ["tar", "--create", "--directory=/", "--null", "--files-from=-"]
    packed = subprocess.run(pack, input=names, stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(["tar", "--extract", "--directory", root, "--keep-directory-symlink"], input=packed, check=True)
    (root / DATABASE.relative_to("/") / "status").write_text("".join(_stanzas(packages)))
    for name in ("passwd", "group"):
        shutil.copy(f"/usr/share/base-passwd/{name}.master", root / "etc" / name)
    subprocess.run(["ldconfig", "-r", root], check=True)


def _real(path: str) -> str:
    """A path by the real name of its directory (`/bin` is a link), without the slash in front."""
    directory, _, name = path.rpartition("/")
    return f"{os.path.realpath(directory or '/')}/{name}".lstrip("/")


def _package(name: str) -> str:
    """The package that a file of dpkg's belongs to: ``libc6:amd64.md5sums``, ``apt.list``."""
    return name.rpartition(".")[0].split(":")[0]


def _stanzas(packages: list[str]) -> Iterator[str]:
    """What dpkg knows about these packages (/var/lib/dpkg/status)."""
    wanted = {f"Package: {name}" for name in packages}
    for stanza in (DATABASE / "status").read_text().split("\n\n"):
        if stanza.split("\n", 1)[0] in wanted:
            yield f"{stanza}\n\n"
