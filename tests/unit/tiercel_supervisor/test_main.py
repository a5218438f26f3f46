from __future__ import annotations

import importlib
import os
import socket
from pathlib import Path
from typing import Any

import pytest

import wire
from broker import Broker, Grant
from loaders import Loaders

main = importlib.import_module("tiercel_supervisor.__main__")


class TestNamedPaths:
    @pytest.mark.parametrize(
        ("arguments", "reads", "config"),
        [
            ([], [], None),
            (["run"], [], None),
            (["run", "-r", "one", "--rules", "two", "--rules=three"], ["one", "two", "three"], None),
            (["run", "-c", "conf"], ["conf"], "conf"),
            (["run", "--config", "conf"], ["conf"], "conf"),
            (["run", "--config=conf", "-r", "one"], ["conf", "one"], "conf"),
            (["run", "-cconf", "-rone"], ["conf", "one"], "conf"),
            (["-V", "one", "--validate=two", "-Vthree"], ["one", "two", "three"], None),
            (["-r", "one", "-c", "conf", "-o", "a=b"], ["one", "conf"], "conf"),
            (["run", "-r"], [], None),
            (["run", "-r", "-c"], ["-c"], None),
            (["run", "--other=/etc/passwd"], [], None),
            (["run", "-r", "/no/such", "/no/such/either"], ["/no/such"], None),
            (["rules", "check", "/etc/passwd"], ["/etc/passwd"], None),
            (["run", "--json", "--stats", "-c", "a=b"], ["a=b"], "a=b"),
        ],
    )
    def test_reads(
        self, arguments: list[str], reads: list[str], config: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)  # where nothing is called "run"
        assert main.named_paths(arguments) == (reads, {}, config)

    @pytest.mark.parametrize(
        "arguments",
        [
            ["run", "--output-file", "log"],
            ["run", "--output-file=log"],
            ["record", "-o", "-", "--output-file", "log"],
        ],
    )
    def test_appends(self, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert main.named_paths(arguments) == ([], {"log": "append"}, None)

    @pytest.mark.parametrize(
        "arguments",
        [
            ["record", "-o", "log"],
            ["record", "-olog"],
            ["record", "--output", "log"],
            ["record", "--output=log"],
            ["config", "init", "--output", "log"],
            ["config", "init", "--output=log"],
        ],
    )
    def test_new_files(self, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert main.named_paths(arguments) == ([], {"log": "new"}, None)

    def test_only_record_writes_captures(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert main.named_paths(["run", "-o", "log"]) == ([], {}, None)
        assert main.named_paths(["config", "show", "-o", "log"]) == ([], {}, None)


@pytest.mark.usefixtures("as_root")
class TestGrantsOf:
    @pytest.fixture(autouse=True)
    def _there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(main, "CONFIG", str(tmp_path / "no-default"))

    def test_nothing_named(self) -> None:
        assert main.grants_of(["run"]) == ({}, ("ebpf",), ())

    def test_paths_of_the_command_line(self, tmp_path: Path) -> None:
        real = os.path.realpath(tmp_path)
        (tmp_path / "target.yaml").write_text("")
        (tmp_path / "link.yaml").symlink_to("target.yaml")
        files, _, _ = main.grants_of(["run", "-r", "link.yaml", "--output-file", "log"])
        assert files == {
            f"read:{Path.cwd()}/link.yaml": Grant(f"{Path.cwd()}/link.yaml", "read", links=True),
            f"append:{Path.cwd()}/log": Grant(f"{real}/log", "append"),
        }

    def test_a_directory_grants_its_rule_files(self, tmp_path: Path) -> None:
        folder = tmp_path / "rules"
        folder.mkdir()
        for name in ("b.yml", "a.yaml", "secret.txt"):
            (folder / name).write_text("")
        files, _, _ = main.grants_of(["run", "-r", "rules"])
        assert list(files) == [f"read:{Path.cwd()}/rules/a.yaml", f"read:{Path.cwd()}/rules/b.yml"]
        assert {g.mode for g in files.values()} == {"read"}

    def test_an_output_file_behind_a_link_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "log").symlink_to("/etc/passwd")
        files, _, _ = main.grants_of(["run", "--output-file", "log"])
        assert [g.path for g in files.values()] == [f"{os.path.realpath(tmp_path)}/log"]

    def test_the_configuration(self, tmp_path: Path) -> None:
        (tmp_path / "conf").write_text("grants: {loaders: [mine], log: {path: /var/log/x, mode: append}}")
        files, loaders, _ = main.grants_of(["run", "-c", "conf"])
        assert loaders == ("mine",)
        assert files["log"] == Grant("/var/log/x", "append")
        assert f"read:{Path.cwd()}/conf" in files

    def test_the_default_configuration(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "conf").write_text("grants: {loaders: []}")
        monkeypatch.setattr(main, "CONFIG", str(tmp_path / "conf"))
        files, loaders, _ = main.grants_of(["run"])
        assert loaders == ()
        assert list(files) == [f"read:{tmp_path}/conf"]

    @pytest.mark.parametrize("main_file", [True, False])
    def test_fragments(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, main_file: bool) -> None:
        if main_file:
            (tmp_path / "conf").write_text("grants: {log: {path: /var/log/x, mode: append}}")
        (tmp_path / "config.d").mkdir()
        (tmp_path / "config.d/a.yaml").write_text("grants: {key: {path: /etc/key, mode: read}, environment: [TOKEN]}")
        monkeypatch.setattr(main, "CONFIG", str(tmp_path / "conf"))
        files, loaders, environment = main.grants_of(["run"])
        assert (loaders, environment) == (("ebpf",), ("TOKEN",))
        assert files["key"] == Grant("/etc/key", "read")
        assert ("log" in files) is main_file
        assert (f"read:{tmp_path}/conf" in files) is main_file
        assert f"read:{tmp_path}/config.d/a.yaml" in files

    @pytest.mark.parametrize("text", ["grants: []", "a: ["])
    @pytest.mark.usefixtures("as_root")
    def test_a_bad_configuration_is_one_line_and_code_2(self, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "conf").write_text(text)
        with pytest.raises(SystemExit) as caught:
            main.main(["run", "-c", "conf"])
        assert caught.value.code == 2
        assert capsys.readouterr().err.startswith(f"tiercel: {Path.cwd()}/conf: ")

    def test_a_configuration_that_others_can_write_grants_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "conf").write_text("grants: {shadow: {path: /etc/shadow, mode: read}}")
        (tmp_path / "conf").chmod(0o666)
        with pytest.raises(main.NotGranted, match="must belong to root"):
            main.grants_of(["run", "-c", "conf"])


class TestAgain:
    """What a supervisor does with SIGHUP."""

    def make(self, tmp_path: Path) -> tuple[Any, Broker]:
        (tmp_path / "conf").write_text("grants: {one: {path: /one, mode: read}}")
        arguments = ["run", "-c", str(tmp_path / "conf"), "-r", str(tmp_path / "rules")]
        (tmp_path / "rules").mkdir()
        files, loaders, environment = main.grants_of(arguments)
        broker = Broker(files=files, loaders=Loaders(tmp_path, loaders), uid=1, gid=1, gifts=())
        return main.Supervisor(broker, [], 1, 1, environment, arguments=arguments), broker

    def asked(self, broker: Broker) -> dict[str, Any]:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            wire.send(theirs, {"op": "grants"})
            assert broker.serve(ours)
            return wire.receive(theirs)[0]

    def test_the_grants_are_those_of_the_files_by_then(self, tmp_path: Path) -> None:
        supervisor, broker = self.make(tmp_path)
        read = {f"read:{tmp_path}/conf": "read"}
        assert self.asked(broker) == {"grants": {"one": "read"} | read, "problem": "", "names": []}
        (tmp_path / "conf").write_text("grants: {two: {path: /two, mode: append}}")
        (tmp_path / "rules" / "new.yaml").touch()
        assert "two" not in self.asked(broker)["grants"]
        supervisor._grant()
        grants = {"two": "append", f"read:{tmp_path}/rules/new.yaml": "read"} | read
        assert self.asked(broker) == {"grants": grants, "problem": "", "names": []}

    def test_a_broken_file_changes_nothing_and_says_why(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        supervisor, broker = self.make(tmp_path)
        before = self.asked(broker)["grants"]
        (tmp_path / "conf").write_text("grants: []")
        supervisor._grant()
        answer = self.asked(broker)
        assert answer["grants"] == before
        assert answer["problem"].startswith(f"{tmp_path}/conf: grants: not valid")
        assert capsys.readouterr().err == f"tiercel: {answer['problem']}; the grants stay as they are\n"
        (tmp_path / "conf").write_text("")
        supervisor._grant()
        assert self.asked(broker)["problem"] == ""


def test_the_status_is_told_whatever_the_configuration_says(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(arguments: list[str]) -> object:
        raise main.NotGranted(f"tiercel.yaml: broken, for {arguments[0]}")

    class Stub:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def run_once(self) -> int:
            return 7

    monkeypatch.setattr(main, "grants_of", broken)
    monkeypatch.setattr(main, "Supervisor", Stub)
    monkeypatch.setattr(main, "account", lambda: (os.getuid(), os.getgid()))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert main.main(["status"]) == 7
    with pytest.raises(SystemExit):
        main.main(["check"])
    assert capsys.readouterr().err == "tiercel: tiercel.yaml: broken, for check\n"
