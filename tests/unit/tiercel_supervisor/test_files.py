from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import pytest

from files import Refused, followed, open_granted

pytestmark = pytest.mark.usefixtures("as_root")

UID = GID = 61234
"""The sensor's: nobody's on any host."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory on whose way only root can write, but for /tmp, which is sticky."""
    path = Path(os.path.realpath(tmp_path)) / "granted"
    path.mkdir(mode=0o755)
    return path


def opened(path: Path | str, mode: str) -> int:
    return open_granted(str(path), mode, UID, GID)


def refused(path: Path | str, mode: str) -> str:
    with pytest.raises(Refused) as caught:
        os.close(opened(path, mode))
    return str(caught.value)


def test_reads(folder: Path) -> None:
    (folder / "rules").write_text("text")
    fd = opened(folder / "rules", "read")
    try:
        assert os.read(fd, 10) == b"text"
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(fd, b"x")
        assert os.get_blocking(fd)
        assert not os.get_inheritable(fd)
    finally:
        os.close(fd)


def test_append_creates_a_file_of_roots(folder: Path) -> None:
    mask = os.umask(0)
    try:
        fd = opened(folder / "alerts", "append")
    finally:
        os.umask(mask)
    try:
        info = os.fstat(fd)
        assert (info.st_uid, stat.S_IMODE(info.st_mode)) == (0, 0o640)
        assert fcntl.fcntl(fd, fcntl.F_GETFL) & (os.O_APPEND | os.O_ACCMODE | os.O_NONBLOCK) == os.O_APPEND | os.O_WRONLY
    finally:
        os.close(fd)


def test_append_keeps_what_is_there(folder: Path) -> None:
    (folder / "alerts").write_text("one\n")
    fd = opened(folder / "alerts", "append")
    os.write(fd, b"two\n")
    os.close(fd)
    assert (folder / "alerts").read_text() == "one\ntwo\n"


def test_half_a_line_that_is_there_spoils_no_other(folder: Path) -> None:
    (folder / "alerts").write_text("one\ntw")
    os.close(opened(folder / "alerts", "read"))
    assert (folder / "alerts").read_text() == "one\ntw"
    fd = opened(folder / "alerts", "append")
    os.write(fd, b"two\n")
    os.close(fd)
    assert (folder / "alerts").read_text() == "one\ntw\ntwo\n"


def test_a_new_file_has_nothing_in_it(folder: Path) -> None:
    (folder / "capture").write_text("some")
    with pytest.raises(Refused, match=r"capture: not empty \(got 4 bytes\)"):
        opened(folder / "capture", "new")
    assert (folder / "capture").read_text() == "some"
    os.close(opened(folder / "another", "new"))
    os.close(opened(folder / "another", "new"))
    assert (folder / "another").read_bytes() == b""


@pytest.mark.parametrize("mode", ["read", "append"])
@pytest.mark.parametrize(
    "path", ["etc/passwd", "/etc/../etc/passwd", "/etc//passwd", "//etc/passwd", "/etc/./passwd", "/etc/passwd/", "", "/etc/\0x"]
)
def test_a_path_must_be_absolute_and_plain(mode: str, path: str) -> None:
    assert "absolute and plain" in refused(path, mode)


@pytest.mark.parametrize("mode", ["read", "append"])
def test_no_symbolic_link_as_the_file(folder: Path, mode: str) -> None:
    (folder / "secret").write_text("x")
    (folder / "link").symlink_to(folder / "secret")
    assert "symbolic link" in refused(folder / "link", mode)


@pytest.mark.parametrize("mode", ["read", "append"])
def test_no_symbolic_link_on_the_way(folder: Path, mode: str) -> None:
    (folder / "real").mkdir()
    (folder / "real" / "file").write_text("x")
    (folder / "link").symlink_to("real")
    assert "symbolic link" in refused(folder / "link" / "file", mode)


def test_no_dangling_link_is_created_through(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "target")
    refused(folder / "link", "append")
    assert not (folder / "target").exists()


@pytest.mark.parametrize("mode", ["read", "append"])
def test_no_hard_link(folder: Path, mode: str) -> None:
    (folder / "file").write_text("x")
    os.link(folder / "file", folder / "other")
    assert "other links" in refused(folder / "file", mode)


@pytest.mark.parametrize("mode", ["read", "append"])
@pytest.mark.parametrize(
    ("uid", "gid", "bits"),
    [(UID, 0, 0o755), (UID, 0, 0o555), (0, GID, 0o775), (0, 0, 0o757)],
    ids=["owner", "owner-may-chmod", "group", "others"],
)
def test_no_directory_that_the_sensor_can_write(folder: Path, mode: str, uid: int, gid: int, bits: int) -> None:
    below = folder / "below"
    below.mkdir()
    (below / "file").write_text("x")
    os.chown(folder, uid, gid)
    folder.chmod(bits)
    assert "can be written by the user that the sensor runs as" in refused(below / "file", mode)


def test_a_group_of_others_may_write(folder: Path) -> None:
    (folder / "file").write_text("x")
    os.chown(folder, 0, GID + 1)
    folder.chmod(0o775)
    os.close(opened(folder / "file", "read"))


@pytest.mark.parametrize(("owner", "allowed"), [(0, True), (UID, False), (UID + 1, False)])
def test_in_a_sticky_directory_what_follows_must_be_roots(folder: Path, owner: int, allowed: bool) -> None:
    folder.chmod(0o1777)
    (folder / "file").write_text("x")
    os.chown(folder / "file", owner, 0)
    if allowed:
        os.close(opened(folder / "file", "append"))
    else:
        refused(folder / "file", "append")


def test_in_a_sticky_directory_a_new_file_is_roots(folder: Path) -> None:
    folder.chmod(0o1777)
    os.close(opened(folder / "new", "append"))
    assert (folder / "new").stat().st_uid == 0


@pytest.mark.parametrize("owner", [0, UID + 1])
def test_in_a_sticky_directory_of_its_own_the_sensor_could_rename(folder: Path, owner: int) -> None:
    (folder / "file").write_text("x")
    os.chown(folder / "file", owner, 0)
    os.chown(folder, UID, 0)
    folder.chmod(0o1755)
    refused(folder / "file", "read")


def test_no_file_of_the_sensors_own_is_appended_to(folder: Path) -> None:
    (folder / "file").write_text("x")
    os.chown(folder / "file", UID, GID)
    assert "no regular file of root's" in refused(folder / "file", "append")


@pytest.mark.parametrize("mode", ["read", "append"])
def test_no_fifo_and_it_does_not_block(folder: Path, mode: str) -> None:
    os.mkfifo(folder / "fifo")
    refused(folder / "fifo", mode)


@pytest.mark.parametrize("mode", ["read", "append"])
@pytest.mark.parametrize("path", ["/dev/null", "/dev"])
def test_no_device_and_no_directory(mode: str, path: str) -> None:
    refused(path, mode)


def test_a_missing_file_is_not_created_for_reading(folder: Path) -> None:
    assert "No such file" in refused(folder / "missing", "read")
    assert not (folder / "missing").exists()


@pytest.mark.parametrize("mode", ["read", "append"])
def test_a_missing_directory(folder: Path, mode: str) -> None:
    assert "No such file" in refused(folder / "missing" / "file", mode)


def test_refusing_keeps_no_descriptor(folder: Path) -> None:
    (folder / "file").write_text("x")
    os.link(folder / "file", folder / "other")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        refused(folder / "file", "read")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


class TestFollowed:
    def test_links_lead_where_they_lead_now(self, folder: Path) -> None:
        for name in ("..1", "..2"):
            (folder / name).mkdir()
            (folder / name / "rules").touch()
        (folder / "rules").symlink_to("..data/rules")
        for name in ("..1", "..2"):  # as the kubelet turns the links of a ConfigMap
            (folder / "..tmp").symlink_to(name)
            (folder / "..tmp").rename(folder / "..data")
            assert followed(f"{folder}/rules", UID, GID) == f"{folder}/{name}/rules"

    @pytest.mark.parametrize("target", ["../b/./file", "/{}/b/file", "../a/../b/file", "../b//file"])
    def test_as_the_kernel_does(self, folder: Path, target: str) -> None:
        for name in ("a", "b"):
            (folder / name).mkdir()
        (folder / "b/file").touch()
        (folder / "a/link").symlink_to(target.format(folder))
        assert followed(f"{folder}/a/link", UID, GID) == os.path.realpath(folder / "a/link") == f"{folder}/b/file"
        (folder / "to_a").symlink_to("a")
        assert followed(f"{folder}/to_a/../b/file", UID, GID) == f"{folder}/b/file"

    def test_none_that_the_sensor_could_turn(self, folder: Path) -> None:
        (folder / "mine").mkdir()
        os.chown(folder / "mine", UID, GID)
        (folder / "mine/link").symlink_to("/etc/shadow")
        with pytest.raises(Refused, match=r"mine can be written by the user that the sensor runs as"):
            followed(f"{folder}/mine/link", UID, GID)
        (folder / "indirect").symlink_to("mine/link")
        with pytest.raises(Refused, match=r"mine can be written by the user that the sensor runs as"):
            followed(f"{folder}/indirect", UID, GID)

    def test_none_of_the_sensors_in_a_sticky_directory(self, folder: Path) -> None:
        (folder / "tmp").mkdir()
        (folder / "tmp").chmod(0o1777)
        for name, owner in (("of_root", 0), ("mine", UID)):
            (folder / "tmp" / name).symlink_to("/etc/shadow")
            os.chown(folder / "tmp" / name, owner, 0, follow_symlinks=False)
        assert followed(f"{folder}/tmp/of_root", UID, GID) == "/etc/shadow"
        with pytest.raises(Refused, match="can be written"):
            followed(f"{folder}/tmp/mine", UID, GID)

    def test_circles_end(self, folder: Path) -> None:
        (folder / "a").symlink_to("b")
        (folder / "b").symlink_to("a")
        with pytest.raises(Refused, match="too many symbolic links"):
            followed(f"{folder}/a", UID, GID)

    def test_nothing_there(self, folder: Path) -> None:
        (folder / "a").symlink_to("none")
        with pytest.raises(Refused, match="No such file or directory"):
            followed(f"{folder}/a", UID, GID)
