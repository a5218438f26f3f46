from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from grants import LISTS, GrantError, check, read
from tiercel.config.grants import SCHEMA


def test_nothing_grants_the_default_loader() -> None:
    assert check(None, "f") == {"files": {}}
    assert check({}, "f") == {"files": {}}


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


def test_defaults_are_those_of_the_sensor() -> None:
    assert {name: tuple(SCHEMA["properties"][name]["default"]) for name in LISTS} == LISTS


names = st.sampled_from(["loaders", "environment", "log", "path", "mode"]) | st.text(max_size=5)
texts = st.sampled_from(["/a", "a", "read", "append", "ebpf", "HOME", "A", "LD_X", "A\n", ""]) | st.text(max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(names, inner, max_size=3)
        | st.fixed_dictionaries({"path": texts, "mode": texts}, optional={"x": inner})
    ),
    max_leaves=8,
)


@given(section=st.dictionaries(names, values, max_size=4))
def test_root_takes_what_the_sensor_takes(section: dict[str, Any]) -> None:
    """What `tiercel check` says without root is what the supervisor says."""
    try:
        check(section, "conf")
        accepted = True
    except GrantError:
        accepted = False
    assert accepted == Draft202012Validator(SCHEMA).is_valid(section)


class TestRead:
    pytestmark = pytest.mark.usefixtures("as_root")

    def test_of_roots_file(self, tmp_path: Path) -> None:
        file = tmp_path / "conf"
        file.write_text("outputs: {}\ngrants:\n  log: {path: /var/log/x, mode: append}\n")
        assert read(str(file))["files"] == {"log": {"path": "/var/log/x", "mode": "append"}}

    @pytest.mark.parametrize("text", ["", "[]", "just text", "other: 1"])
    def test_without_the_section(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "conf").write_text(text)
        conf = str(tmp_path / "conf")
        assert read(conf) == {"files": {}, "loaders": ["ebpf"], "environment": [], "read": [conf]}

    @pytest.mark.parametrize(("uid", "bits"), [(61234, 0o600), (0, 0o620), (0, 0o602)])
    def test_not_roots_alone(self, tmp_path: Path, uid: int, bits: int) -> None:
        file = tmp_path / "conf"
        file.write_text("")
        os.chown(file, uid, 0)
        file.chmod(bits)
        with pytest.raises(GrantError, match="must belong to root"):
            read(str(file))

    @pytest.mark.parametrize(
        "data", [b"a: [", b"\xff\xfe\xff", b"grants: !!python/object/apply:os.system ['true']", b"a: b: c", b"grants: !replace {}"]
    )
    def test_what_is_no_document(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "conf").write_bytes(data)
        with pytest.raises(GrantError, match="cannot be read") as caught:
            read(str(tmp_path / "conf"))
        assert "\n" not in str(caught.value)

    def test_only_the_section_is_looked_into(self, tmp_path: Path) -> None:
        (tmp_path / "conf").write_text("outputs: !replace {a: 2024-99-99, a: !x y}\ngrants: {loaders: []}")
        assert read(str(tmp_path / "conf"))["loaders"] == []

    @pytest.mark.parametrize("text", ["grants: {}\ngrants: {}", "grants: {a: {}, a: {}}", "grants: {a: {path: /x, path: /y, mode: read}}"])
    def test_what_is_written_twice(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "conf").write_text(text)
        with pytest.raises(GrantError, match="written twice"):
            read(str(tmp_path / "conf"))

    def test_what_is_too_large(self, tmp_path: Path) -> None:
        (tmp_path / "conf").write_text("# " + "x" * 1_000_000)
        with pytest.raises(GrantError, match=r"too large \(expected at most 1,000,000 characters"):
            read(str(tmp_path / "conf"))

    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(GrantError, match="No such file"):
            read(str(tmp_path / "conf"))

    def test_as_a_program(self, tmp_path: Path, repository: Path) -> None:
        program = [sys.executable, "-I", "-S", str(repository / "core" / "tiercel_supervisor" / "grants.py")]
        (tmp_path / "conf").write_text("grants: {loaders: []}")
        good = subprocess.run([*program, str(tmp_path / "conf")], capture_output=True, text=True, check=True)
        assert json.loads(good.stdout) == {"files": {}, "loaders": [], "environment": [], "read": [str(tmp_path / "conf")]}
        bad = subprocess.run([*program, str(tmp_path / "missing")], capture_output=True, text=True, check=False)
        assert (bad.returncode, bad.stdout, bad.stderr.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("name", ["", "a b", "a=b", "LD_PRELOAD", "PYTHONPATH", "PATH", "TIERCEL_CHANNEL", "1a", "\u00e4"])
def test_variables_that_are_not_handed_on(name: str) -> None:
    with pytest.raises(GrantError, match=r"grants\.environment: not valid"):
        check({"environment": [name]}, "conf")
    pattern = SCHEMA["properties"]["environment"]["items"]["pattern"]  # what `tiercel check` says is what root says
    assert re.search(pattern, name) is None


@pytest.mark.usefixtures("as_root")
class TestFragments:
    @pytest.fixture
    def main(self, tmp_path: Path) -> str:
        (tmp_path / "conf").write_text("grants: {loaders: [one], log: {path: /log, mode: append}}")
        (tmp_path / "config.d").mkdir()
        return str(tmp_path / "conf")

    def fragment(self, main: str, name: str, text: str) -> Path:
        path = Path(main).parent / "config.d" / name
        path.write_text(text)
        return path

    def test_they_go_on_in_the_order_of_their_names(self, main: str) -> None:
        b = self.fragment(main, "b.yml", "grants: {loaders: [two, one], environment: [B]}")
        a = self.fragment(main, "a.yaml", "grants: {key: {path: /key, mode: read}, environment: [A, B]}")
        for name in (".hidden.yaml", "other.txt", "a.yaml~"):
            self.fragment(main, name, "grants: {evil: {path: /etc/shadow, mode: read}}")
        assert read(main) == {
            "files": {"log": {"path": "/log", "mode": "append"}, "key": {"path": "/key", "mode": "read"}},
            "loaders": ["one", "two"],
            "environment": ["A", "B"],
            "read": [main, str(a), str(b)],
        }

    def test_without_a_main_file(self, main: str) -> None:
        self.fragment(main, "a.yaml", "grants: {loaders: []}")
        Path(main).unlink()
        assert read(main, optional=True)["loaders"] == []
        with pytest.raises(GrantError, match="No such file"):
            read(main)

    def test_no_grant_is_replaced(self, main: str) -> None:
        path = self.fragment(main, "a.yaml", "grants: {log: {path: /etc/shadow, mode: read}}")
        with pytest.raises(GrantError, match=f"^{path}: grants.log: granted already in {main}"):
            read(main)

    @pytest.mark.parametrize(("uid", "bits"), [(61234, 0o600), (0, 0o620), (0, 0o602)])
    def test_not_roots_alone(self, main: str, uid: int, bits: int) -> None:
        path = self.fragment(main, "a.yaml", "")
        os.chown(path, uid, 0)
        path.chmod(bits)
        with pytest.raises(GrantError, match=f"^{path}: must belong to root"):
            read(main)

    @pytest.mark.parametrize(("uid", "bits"), [(61234, 0o700), (0, 0o770), (0, 0o702)])
    def test_a_directory_that_is_not_roots_alone(self, main: str, uid: int, bits: int) -> None:
        path = self.fragment(main, "a.yaml", "").parent
        os.chown(path, uid, 0)
        path.chmod(bits)
        with pytest.raises(GrantError, match=f"^{path}: must belong to root"):
            read(main)
