"""What hostile or broken configurations get from `tiercel check`: one clear error each, in bounded time, and never a traceback."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import pwd
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from tests.unit import distributions
from tests.unit.cli.conftest import Run
from tiercel.cli.main import main
from tiercel.cli.session import Setting
from tiercel.config.files import Files


def only_error(run: Run, *arguments: str) -> str:
    """The one line that the command says."""
    done = run("check", *arguments)
    assert done.code == 2
    (line,) = (line for line in done.err.splitlines() if not line.startswith(" "))
    return line


class TestFiles:
    def test_ten_megabytes(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "c.yaml").write_text("priority: debug\n" + "# padding\n" * 1_000_000)
        assert only_error(run, "-c", "c.yaml") == "c.yaml: cannot be read: too large (expected at most 1,000,000 characters) [CONFIG]"

    def test_a_hundred_megabytes_in_many_files(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "config.d").mkdir()
        for number in range(100):
            (tmp_path / f"config.d/{number}.yaml").write_text("# padding\n" * 99_999)
        expected = f"{Path('config.d')}: too large (expected at most 2,000,000 characters in all files together) [CONFIG]"
        (tmp_path / "c.yaml").touch()
        assert only_error(run, "-c", "c.yaml") == expected

    def test_endless(self, run: Run) -> None:
        assert only_error(run, "-c", "/dev/zero") == "/dev/zero: cannot be read: too large (expected at most 1,000,000 characters) [CONFIG]"

    def test_a_directory(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "c.yaml").mkdir()
        assert only_error(run, "-c", "c.yaml") == "c.yaml: cannot be read: Is a directory [CONFIG]"

    def test_a_pipe_that_nobody_writes_into(self, run: Run, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        assert only_error(run, "-c", "pipe") == "pipe: cannot be read: it is a pipe that nobody writes into [CONFIG]"
        expected = f"{tmp_path}/pipe: cannot be read: it is a pipe that nobody writes into [LOAD_ERR_FILE_READ]"
        assert only_error(run, "-r", "pipe") == expected

    def test_a_pipe_is_read(self, run: Run) -> None:
        ours, theirs = os.pipe()
        os.write(theirs, b"sources: {lab: }\nrules_files: []\n")
        os.close(theirs)
        done = run("check", "-c", f"/dev/fd/{ours}")
        os.close(ours)
        assert (done.code, done.err) == (0, "")

    def test_no_text(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "c.yaml").write_bytes(b"priority: \xff")
        assert only_error(run, "-c", "c.yaml") == "c.yaml: cannot be read: it is not UTF-8 [CONFIG]"

    def test_files_that_lead_to_each_other(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "config.d").mkdir()
        (tmp_path / "config.d/a.yaml").symlink_to("b.yaml")
        (tmp_path / "config.d/b.yaml").symlink_to("a.yaml")
        (tmp_path / "config.d/config.d").symlink_to(".")
        (tmp_path / "c.yaml").write_text("sources: {lab: }\nrules_files: [one.yaml]")
        (tmp_path / "one.yaml").symlink_to("two.yaml")
        (tmp_path / "two.yaml").symlink_to("one.yaml")
        expected = f"{tmp_path}/one.yaml: cannot be read: Too many levels of symbolic links; named in c.yaml:2:15 [LOAD_ERR_FILE_READ]"
        assert only_error(run, "-c", "c.yaml") == expected

    def test_a_value_that_is_part_of_itself(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "c.yaml").write_text("labels: &a {b: *a}")
        assert only_error(run, "-c", "c.yaml").startswith("c.yaml:1:16: bad YAML: an alias of something that it is part of")

    def test_aliases_that_multiply(self, run: Run, tmp_path: Path) -> None:
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
        (tmp_path / "c.yaml").write_text("\n".join(lines))
        assert ": bad YAML: too large" in only_error(run, "-c", "c.yaml")

    def test_two_components_of_one_id(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "c.yaml").write_text("outputs:\n  stdout/a: {}\n  stdout/a: {format: json}\n")
        assert only_error(run, "-c", "c.yaml") == 'c.yaml:3:3: duplicate key "stdout/a" (the first is in line 2) [CONFIG]'

    def test_many_mistakes_are_not_all_told(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "c.yaml").write_text("rules:\n" + "- x\n" * 100_000)
        done = run("check", "-c", "c.yaml")
        assert (done.code, done.err.count("rules[")) == (2, 300)
        assert "more than 300 problems; the others are not shown" in done.err


@pytest.fixture
def everything(tmp_path: Path) -> Setting:
    return Setting(distributions=[distributions.tiercel_itself(tmp_path / "dist", plugins=True)], files=Files())


class TestSecrets:
    CONFIG = "outputs: {http: {url: 'https://receiver.example/', bearer_token: 'file:PATH'}}"

    @pytest.mark.parametrize(
        ("mode", "code", "words"),
        [
            (None, 0, "warning: outputs.http: bearer_token: file:PATH: cannot be read: No such file or directory"),
            (
                0o604,
                2,
                "outputs.http: bearer_token: file:PATH: everybody on this host may read or change it (mode 0604); try chmod o= PATH",
            ),
        ],
    )
    def test_one_line(
        self, everything: Setting, tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: int | None, code: int, words: str
    ) -> None:
        secret = tmp_path / "secret"
        if mode is not None:
            secret.write_text("hunter2")
            secret.chmod(mode)
        (tmp_path / "c.yaml").write_text(self.CONFIG.replace("PATH", str(secret)))
        assert main(["check", "-c", str(tmp_path / "c.yaml")], setting=everything) == code
        said = [line for line in capsys.readouterr().err.splitlines() if "outputs.http" in line and "url" not in line]
        assert said == [f"{tmp_path}/c.yaml:1:11: {words.replace('PATH', str(secret))} [CONFIG]"]


def _as_nobody(connection: Connection, arguments: list[str], setting: Setting) -> None:
    user = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = main(arguments, setting=setting)
    connection.send((code, said.getvalue()))


def test_nobody_may_check_and_is_told_of_secrets_that_only_root_can_read(
    everything: Setting, public_path: Path, capsys: pytest.CaptureFixture[str], as_root: None
) -> None:
    (public_path / "secret").write_text("hunter2")
    (public_path / "secret").chmod(0o600)
    secret = f"file:{public_path}/secret"
    (public_path / "c.yaml").write_text(
        f"outputs:\n  http: {{url: 'env:LAB_URL', bearer_token: '{secret}'}}\n  file: {{grant: a}}\n  syslog: {{}}\n"
        "grants: {a: {path: /root/alerts, mode: append}}\nrules_files: [bundle:tiercel]\n"
    )
    arguments = ["check", "-c", str(public_path / "c.yaml"), "-o", "outputs.http.url=plain:http://receiver.example/"]
    assert main(arguments, setting=everything) == 0  # and imports what nobody may not be able to read
    capsys.readouterr()
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_as_nobody, args=(theirs, arguments, everything))
    child.start()
    child.join(60)
    code, said = ours.recv()
    warning = f"warning: outputs.http: bearer_token: {secret}: cannot be read: Permission denied; a grant of mode read has root open it"
    assert f"{public_path}/c.yaml:2:3: {warning} [CONFIG]" in said.splitlines()
    assert (code, said.splitlines()[-1].endswith(" rules would run")) == (0, True)
    assert "hunter2" not in said
