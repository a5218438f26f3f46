from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from loaders import STARTS_PER_MINUTE, LoaderError, Loaders, find
from tests.unit.tiercel_supervisor.started import started

pytestmark = pytest.mark.usefixtures("as_root")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return Path(os.path.realpath(tmp_path))


def distribution(site: Path, name: str, entry_points: str) -> None:
    folder = site / f"{name}.dist-info"
    folder.mkdir()
    (folder / "entry_points.txt").write_text(entry_points)


def package(site: Path, name: str, text: str = "") -> Path:
    folder = site / name
    folder.mkdir()
    (folder / "__main__.py").write_text(text)
    return folder / "__main__.py"


def open_(fd: int) -> bool:
    return Path(f"/proc/self/fd/{fd}").exists()


PROTOCOL = """
import json, socket, os
channel = socket.socket(fileno=3)
head, fds, _, _ = socket.recv_fds(channel, 4, 64)
data = b""
while len(data) < int.from_bytes(head, "little"):
    data += channel.recv(65536)
request = json.loads(data)
def answer(message, fds):
    data = json.dumps(message).encode()
    socket.send_fds(channel, [len(data).to_bytes(4, "little")], fds)
    channel.sendall(data)
"""


class TestFind:
    def test_by_metadata(self, site: Path) -> None:
        distribution(
            site,
            "a-1",
            "[console_scripts]\nmine = wrong:main\n\n[tiercel.loaders]\nother = pkg_other\nmine = pkg_mine\n[tiercel]\nmine = wrong\n",
        )
        path = package(site, "pkg_mine", "raise SystemExit('it was imported')")
        assert find(site, "mine") == path

    def test_nobody_has_it(self, site: Path) -> None:
        distribution(site, "a-1", "[tiercel]\nmine = pkg_mine\n")
        with pytest.raises(LoaderError, match="no installed distribution has it"):
            find(site, "mine")

    def test_two_have_it(self, site: Path) -> None:
        package(site, "pkg_mine")
        for name in ("a-1", "b-2"):
            distribution(site, name, "[tiercel.loaders]\nmine = pkg_mine\n")
        with pytest.raises(LoaderError, match="two distributions, a-1 and b-2"):
            find(site, "mine")

    @pytest.mark.parametrize("value", ["../evil", "a.b", "pkg:main", "", "/etc", "a b"])
    def test_no_package_name(self, site: Path, value: str) -> None:
        distribution(site, "a-1", f"[tiercel.loaders]\nmine = {value}\n")
        with pytest.raises(LoaderError, match="not a package name"):
            find(site, "mine")

    @pytest.mark.parametrize("part", ["__main__.py", "."])
    @pytest.mark.parametrize(("uid", "bits"), [(61234, 0o755), (0, 0o775), (0, 0o757)])
    def test_not_roots_alone(self, site: Path, part: str, uid: int, bits: int) -> None:
        distribution(site, "a-1", "[tiercel.loaders]\nmine = pkg_mine\n")
        at = package(site, "pkg_mine").parent / part
        os.chown(at, uid, 0)
        at.chmod(bits)
        with pytest.raises(LoaderError, match="must belong to root"):
            find(site, "mine")

    def test_not_through_a_link(self, site: Path) -> None:
        distribution(site, "a-1", "[tiercel.loaders]\nmine = pkg_mine\n")
        package(site, "elsewhere")
        (site / "pkg_mine").symlink_to("elsewhere")
        with pytest.raises(LoaderError, match="must belong to root"):
            find(site, "mine")

    def test_a_directory_above_that_others_can_write(self, site: Path) -> None:
        inner = site / "inner"
        inner.mkdir()
        distribution(inner, "a-1", "[tiercel.loaders]\nmine = pkg_mine\n")
        package(inner, "pkg_mine")
        inner.chmod(0o777)
        with pytest.raises(LoaderError, match="must belong to root"):
            find(inner, "mine")


class TestStart:
    def loaders(self, site: Path, text: str) -> Loaders:
        distribution(site, "a-1", "[tiercel.loaders]\nmine = pkg_mine\n")
        package(site, "pkg_mine", PROTOCOL + text)
        return Loaders(site, ("mine",))

    def test_not_granted(self, site: Path) -> None:
        loaders = self.loaders(site, f"open({str(site / 'ran')!r}, 'w')")
        with pytest.raises(LoaderError, match="not granted"):
            started(loaders, "other", {})
        assert not (site / "ran").exists()

    def test_answer_and_descriptors(self, site: Path) -> None:
        loaders = self.loaders(
            site, "answer({'answer': {'plan': request['plan'], 'in': request['inherit']}, 'names': ['a']}, [os.memfd_create('a')])"
        )
        assert loaders.kept("mine") is None
        said, made = started(loaders, "mine", {"n": 1})
        assert said == {"plan": {"n": 1}, "in": []}
        assert list(made) == ["a"]
        os.fstat(made["a"])
        assert loaders.kept("mine") == ({"n": 1}, said, made)

    def test_the_next_start_inherits_what_persists(self, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        text = """
names = ["ring", "attached.x", f"stages.{request['plan']['n']}", "maps"][0 if not fds else 2:]
made = {n: os.memfd_create(n) for n in names}
for fd in fds: os.write(fd, b"+")
answer({'answer': {'persistent': ['ring'], 'in': request['inherit']}, 'names': list(made)}, list(made.values()))
"""
        loaders = self.loaders(site, text)
        _, first = started(loaders, "mine", {"n": 1})
        ring, old = first["ring"], (first["maps"], first["stages.1"])
        said, second = started(loaders, "mine", {"n": 2})
        assert said["in"] == ["ring"]
        assert second["ring"] == ring
        assert os.pread(ring, 9, 0) == b"+"
        assert set(second) == {"ring", "attached.x", "stages.2", "maps"}
        assert not open_(old[0]) or old[0] in second.values()
        assert open_(old[1]), "programs that have begun still look there"
        monkeypatch.setattr(time, "monotonic", lambda: float("inf"))
        loaders.tidy()
        assert not open_(old[1])

    HELD = """
made = {n: os.memfd_create(n) for n in (["ring"] if not fds else []) + ["map"]}
answer({'answer': {'persistent': ['ring']}, 'names': list(made), 'held': True}, list(made.values()))
data = part = channel.recv(65536)
while part and len(data) < 20:
    data += (part := channel.recv(65536))
"""

    def test_what_is_prepared_is_in_force_when_it_is_committed(self, site: Path) -> None:
        text = """
if data[4:] == b'{"commit": true}':
    answer({'names': ['attached']}, [os.memfd_create('attached')])
"""
        loaders = self.loaders(site, self.HELD + text)
        said, made = loaders.prepare("mine", {"n": 1})
        assert sorted(made) == ["map", "ring"]
        assert loaders.kept("mine") is None
        loaders.commit("mine")
        assert loaders.kept("mine") == ({"n": 1}, said, made)
        assert sorted(made) == ["attached", "map", "ring"]
        with pytest.raises(LoaderError, match="nothing is prepared"):
            loaders.commit("mine")

    def test_what_is_discarded_leaves_what_was_in_force(self, site: Path) -> None:
        loaders = self.loaders(site, self.HELD + "if data: answer({'names': []}, [])")
        before = {path.name for path in Path("/proc/self/fd").iterdir()}
        loaders.prepare("mine", {"n": 1})
        loaders.discard("mine")
        assert {path.name for path in Path("/proc/self/fd").iterdir()} == before
        assert loaders.kept("mine") is None
        started(loaders, "mine", {"n": 1})
        before = {path.name for path in Path("/proc/self/fd").iterdir()}
        for n in range(3):
            loaders.prepare("mine", {"n": n})  # which discards the last one
        loaders.discard_all()
        assert {path.name for path in Path("/proc/self/fd").iterdir()} == before
        kept = loaders.kept("mine")
        assert kept is not None
        assert kept[0] == {"n": 1}
        for fd in kept[2].values():
            os.fstat(fd)

    @pytest.mark.parametrize(("text", "why"), [("", "ended before"), ("if data: answer({'error': 'no room'}, [])", "^no room$")])
    def test_a_commit_that_fails_leaves_what_was_in_force(self, site: Path, text: str, why: str) -> None:
        loaders = self.loaders(site, self.HELD + text)
        before = {path.name for path in Path("/proc/self/fd").iterdir()}
        loaders.prepare("mine", {"n": 1})
        with pytest.raises(LoaderError, match=why):
            loaders.commit("mine")
        assert loaders.kept("mine") is None
        assert {path.name for path in Path("/proc/self/fd").iterdir()} == before

    def test_environment_and_arguments(self, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PYTHONPATH", "/evil")
        monkeypatch.setenv("LD_PRELOAD", "")
        loaders = self.loaders(
            site,
            "import sys; answer({'answer': {'env': dict(os.environ), 'flags': [sys.flags.isolated, sys.flags.no_site]}, 'names': []}, [])",
        )
        said, _ = started(loaders, "mine", {})
        assert set(said["env"]) <= {"PATH", "LANG", "LC_CTYPE"}
        assert said["flags"] == [1, 1]

    def test_its_error(self, site: Path) -> None:
        with pytest.raises(LoaderError, match=r"^no BTF$"):
            started(self.loaders(site, "answer({'error': 'no BTF'}, [])"), "mine", {})

    @pytest.mark.parametrize("text", ["", "channel.sendall(b'\\x01')", "channel.sendall(b'\\xff\\xff\\xff\\xff')"])
    def test_it_dies_without_an_answer(self, site: Path, text: str) -> None:
        loaders = self.loaders(site, text)
        with pytest.raises(LoaderError, match="ended without an answer"):
            started(loaders, "mine", {})
        assert loaders.kept("mine") is None

    def test_starts_are_few(self, site: Path) -> None:
        loaders = Loaders(site, ("mine",))
        for _ in range(STARTS_PER_MINUTE):
            with pytest.raises(LoaderError, match="no installed distribution"):
                started(loaders, "mine", {})
        with pytest.raises(LoaderError, match="within a minute"):
            started(loaders, "mine", {})
