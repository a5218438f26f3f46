"""What a sensor that somebody has taken over could try to make root do."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import wire
from broker import Broker, Grant
from loaders import STARTS_PER_MINUTE, Loaders
from tiercel.errors import UserError
from tiercel.runtime.host import SupervisedHost

pytestmark = pytest.mark.usefixtures("as_root")

UID = GID = 61234


@dataclass
class Served:
    """A broker with a channel to it."""

    broker: Broker
    ours: socket.socket
    theirs: socket.socket
    folder: Path
    log: list[bool] = field(default_factory=list)

    def ask(self, request: dict[str, Any], fds: list[int] | None = None) -> tuple[dict[str, Any], list[int]]:
        wire.send(self.theirs, request, fds)
        assert self.broker.serve(self.ours)
        return wire.receive(self.theirs)

    def refusal(self, request: dict[str, Any]) -> str:
        answer, fds = self.ask(request)
        assert fds == []
        assert answer["names"] == []
        text = answer["error"]
        assert isinstance(text, str)
        return text


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    folder = Path(os.path.realpath(tmp_path))
    (folder / "rules").write_text("rules")
    (folder / "secret").write_text("secret")
    files = {"rules": Grant(str(folder / "rules"), "read"), "log": Grant(str(folder / "log"), "append")}
    gifts = (os.memfd_create("journal"), os.memfd_create("statistics"))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Served(Broker(files=files, loaders=Loaders(folder, ("mine",)), uid=UID, gid=GID, gifts=gifts), ours, theirs, folder)
    for fd in gifts:
        os.close(fd)


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_greeting(served: Served) -> None:
    served.broker.greet(served.ours, 3, "was killed by signal 9")
    host = SupervisedHost(served.theirs)
    assert host.grants == {"rules": "read", "log": "append"}
    assert (host.restarts, host.why_restarted) == (3, "was killed by signal 9")
    assert str(Path(f"/proc/self/fd/{host.journal()}").readlink()) == "/memfd:journal (deleted)"
    assert str(Path(f"/proc/self/fd/{host.statistics}").readlink()) == "/memfd:statistics (deleted)"
    os.close(host.journal())
    os.close(host.statistics)


def test_the_sensors_half(served: Served) -> None:
    served.broker.greet(served.ours, 0)
    host = SupervisedHost(served.theirs)
    thread = threading.Thread(target=lambda: served.log.extend(served.broker.serve(served.ours) for _ in range(4)))
    thread.start()
    fd = host.open_granted("rules")
    assert os.read(fd, 10) == b"rules"
    with pytest.raises(UserError, match="not in the configuration of root"):
        host.open_granted("secret")
    with pytest.raises(UserError, match="no installed distribution has it"):
        host.load("mine", {})
    assert host.loaded("mine") is None
    thread.join()
    for each in (fd, host.journal(), host.statistics):
        os.close(each)


def test_a_granted_file_and_nothing_is_kept(served: Served) -> None:
    before = descriptors()
    answer, (fd,) = served.ask({"op": "open", "grant": "log"})
    assert answer == {"names": ["file"]}
    os.write(fd, b"line\n")
    os.close(fd)
    assert (served.folder / "log").read_text() == "line\n"
    assert descriptors() == before


@pytest.mark.parametrize(
    "name",
    ["secret", "", "read:/etc/shadow", "/etc/shadow", "../rules", "rules/", "RULES", "{folder}/rules", "rules\0", "append:/etc/passwd"],
)
def test_only_names_of_grants(served: Served, name: str) -> None:
    text = served.refusal({"op": "open", "grant": name.format(folder=served.folder)})
    assert "not in the configuration of root (granted: log, rules)" in text


@pytest.mark.parametrize(
    "request_",
    [
        {}, {"op": None}, {"op": "exec", "command": "id"}, {"op": "OPEN", "grant": "rules"}, {"op": ["open"], "grant": "rules"},
        {"op": "open"}, {"op": "open", "grant": ["rules"]}, {"op": "open", "grant": {"path": "/etc/shadow"}}, {"op": "open", "grant": None},
        {"op": "open", "path": "/etc/shadow", "mode": "read"},
        {"op": "prepare"}, {"op": "prepare", "loader": "mine"}, {"op": "prepare", "loader": "mine", "plan": []},
        {"op": "prepare", "loader": 1, "plan": {}}, {"op": "prepare", "loader": "mine", "plan": "text"}, {"op": "loaded"},
        {"op": "loaded", "loader": 0}, {"op": "commit"}, {"op": "commit", "loader": None}, {"op": "discard", "loader": []},
    ],
)  # fmt: skip
def test_unknown_requests(served: Served, request_: dict[str, Any]) -> None:
    assert served.refusal(request_) == "request: not known (expected open, grants, prepare, commit, discard, loaded or alive)"


def test_the_path_and_mode_of_a_grant_are_roots(served: Served) -> None:
    before = descriptors()
    _, (fd,) = served.ask(
        {"op": "open", "grant": "rules", "path": str(served.folder / "secret"), "mode": "append", "uid": 0, "flags": os.O_RDWR}
    )
    assert os.read(fd, 10) == b"rules"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(fd, b"x")
    os.close(fd)
    assert descriptors() == before


def test_a_granted_path_that_was_replaced(served: Served) -> None:
    (served.folder / "rules").unlink()
    (served.folder / "rules").symlink_to("/etc/shadow")
    assert "symbolic link" in served.refusal({"op": "open", "grant": "rules"})


@pytest.mark.parametrize("name", ["ebpf", "", "tiercel_ebpf_loader", "../mine"])
def test_only_granted_loaders(served: Served, name: str) -> None:
    assert "not granted" in served.refusal({"op": "prepare", "loader": name, "plan": {}})
    answer, fds = served.ask({"op": "loaded", "loader": name})
    assert (answer, fds) == ({"plan": None, "names": []}, [])


def test_starts_of_loaders_are_few(served: Served) -> None:
    for _ in range(STARTS_PER_MINUTE):
        assert "no installed distribution" in served.refusal({"op": "prepare", "loader": "mine", "plan": {}})
    assert "within a minute" in served.refusal({"op": "prepare", "loader": "mine", "plan": {}})


def test_descriptors_sent_along_are_closed(served: Served) -> None:
    fd = os.memfd_create("gift")
    before = descriptors()
    for _ in range(20):
        served.ask({"op": "loaded", "loader": "x"}, [fd] * wire.MAX_DESCRIPTORS)
    assert descriptors() == before
    os.close(fd)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x02\0\0\0[]", b"\x02\0\0\0\xff\xff", b"\x01\0\0\0{", b"\x05\0\0\0{}",
        (100_000).to_bytes(4, "little") + b"[" * 100_000, (60_000).to_bytes(4, "little") + b'{"a":' * 12_000,
    ],
    ids=["huge", "empty", "list", "bytes", "half", "cut", "deep", "deep-objects"],
)  # fmt: skip
def test_what_is_no_message_ends_the_conversation(served: Served, data: bytes) -> None:
    fd = os.memfd_create("gift")
    before = descriptors()
    socket.send_fds(served.theirs, [data[:1]], [fd])
    served.theirs.sendall(data[1:])
    served.theirs.shutdown(socket.SHUT_WR)
    assert not served.broker.serve(served.ours)
    assert descriptors() == before
    os.close(fd)


def test_the_end(served: Served) -> None:
    served.theirs.close()
    assert not served.broker.serve(served.ours)


def test_gone_before_the_answer(served: Served) -> None:
    before = descriptors()
    wire.send(served.theirs, {"op": "open", "grant": "rules"})
    served.theirs.close()
    assert not served.broker.serve(served.ours)
    assert len(descriptors()) == len(before) - 1  # ours, open no longer


def test_a_plan_of_any_depth_is_survived(served: Served) -> None:
    """What json reads may still be too deep for what json writes."""
    before = descriptors()
    for depth in range(800, 1000, 7):
        data = b'{"op": "prepare", "loader": "mine", "plan": {"a": ' + b"[" * depth + b"]" * depth + b"}}"
        served.theirs.sendall(len(data).to_bytes(4, "little") + data)
        if not served.broker.serve(served.ours):
            break
        answer, _ = wire.receive(served.theirs)
        assert "error" in answer
    assert descriptors() == before


def test_a_huge_name_is_answered(served: Served) -> None:
    data = json.dumps({"op": "open", "grant": "x" * 100_000}).encode()
    thread = threading.Thread(target=lambda: served.log.append(served.broker.serve(served.ours)))
    thread.start()
    served.theirs.sendall(len(data).to_bytes(4, "little") + data)
    answer, _ = wire.receive(served.theirs)
    thread.join()
    assert "not in the configuration of root" in answer["error"]
    assert served.log == [True]


def test_saying_that_it_is_alive_asks_for_nothing(served: Served) -> None:
    assert served.ask({"op": "alive"}) == ({"names": []}, [])
