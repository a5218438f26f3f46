from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from grants import GrantError, check, read


def test_nothing_grants_the_default_loader() -> None:
    assert check(None, "f") == {"files": {}, "loaders": ["ebpf"]}
    assert check({}, "f") == {"files": {}, "loaders": ["ebpf"]}


def test_files_and_loaders() -> None:
    section = {"loaders": [], "log": {"path": "/var/log/x", "mode": "append"}, "key": {"path": "/etc/key", "mode": "read"}}
    assert check(section, "f") == {
        "files": {"log": {"path": "/var/log/x", "mode": "append"}, "key": {"path": "/etc/key", "mode": "read"}},
        "loaders": [],
    }


@pytest.mark.parametrize(
    "section",
    [
        [], "text", 1, True,
        {"loaders": "ebpf"}, {"loaders": [1]}, {"loaders": None}, {"loaders": {"ebpf": 1}},
        {"x": None}, {"x": "/path"}, {"x": ["/path", "read"]}, {"x": {}}, {"x": {"path": "/p"}}, {"x": {"mode": "read"}},
        {"x": {"path": "/p", "mode": "write"}}, {"x": {"path": "/p", "mode": None}}, {"x": {"path": "/p", "mode": ["read"]}},
        {"x": {"path": "relative", "mode": "read"}}, {"x": {"path": 1, "mode": "read"}}, {"x": {"path": None, "mode": "read"}},
        {"x": {"path": "/p", "mode": "read", "uid": 0}}, {1: {"path": "/p", "mode": "read"}}, {None: {"path": "/p", "mode": "read"}},
    ],
)  # fmt: skip
def test_bad_shapes(section: Any) -> None:
    with pytest.raises(GrantError, match=r"^conf: grants"):
        check(section, "conf")


class TestRead:
    pytestmark = pytest.mark.usefixtures("as_root")

    def test_of_roots_file(self, tmp_path: Path) -> None:
        file = tmp_path / "conf"
        file.write_text("outputs: {}\ngrants:\n  log: {path: /var/log/x, mode: append}\n")
        assert read(str(file))["files"] == {"log": {"path": "/var/log/x", "mode": "append"}}

    @pytest.mark.parametrize("text", ["", "[]", "just text", "other: 1"])
    def test_without_the_section(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "conf").write_text(text)
        assert read(str(tmp_path / "conf")) == {"files": {}, "loaders": ["ebpf"]}

    @pytest.mark.parametrize(("uid", "bits"), [(61234, 0o600), (0, 0o620), (0, 0o602)])
    def test_not_roots_alone(self, tmp_path: Path, uid: int, bits: int) -> None:
        file = tmp_path / "conf"
        file.write_text("")
        os.chown(file, uid, 0)
        file.chmod(bits)
        with pytest.raises(GrantError, match="must belong to root"):
            read(str(file))

    @pytest.mark.parametrize("data", [b"a: [", b"\xff\xfe\xff", b"!!python/object/apply:os.system ['true']", b"a: b: c"])
    def test_what_is_no_document(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "conf").write_bytes(data)
        with pytest.raises(GrantError, match="cannot be read") as caught:
            read(str(tmp_path / "conf"))
        assert "\n" not in str(caught.value)

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(GrantError, match="No such file"):
            read(str(tmp_path / "conf"))

    def test_as_a_program(self, tmp_path: Path, repository: Path) -> None:
        program = [sys.executable, "-I", "-S", str(repository / "core" / "tiercel_supervisor" / "grants.py")]
        (tmp_path / "conf").write_text("grants: {loaders: []}")
        good = subprocess.run([*program, str(tmp_path / "conf")], capture_output=True, text=True, check=True)
        assert json.loads(good.stdout) == {"files": {}, "loaders": []}
        bad = subprocess.run([*program, str(tmp_path / "missing")], capture_output=True, text=True, check=False)
        assert (bad.returncode, bad.stdout, bad.stderr.count("\n")) == (2, "", 1)
