"""The installed `tiercel` command: root runs the supervisor isolated and by path, everybody else the ordinary program."""

from __future__ import annotations

import pwd
import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def environment(repository: Path, public_path: Path) -> Path:
    """A virtual environment's skeleton that everybody may read, with a Python that prints its arguments one a line."""
    venv = public_path / "a venv"
    supervisor = venv / "lib/python3.11/site-packages/tiercel_supervisor"
    supervisor.mkdir(parents=True)
    (supervisor / "__main__.py").touch()
    (venv / "bin").mkdir()
    shutil.copy(repository / "core/launcher/tiercel", venv / "bin/tiercel")
    python = venv / "bin/python3"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    return venv


def launch(path: Path, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Runs the launcher with an empty environment."""
    return subprocess.run([path, *arguments], env={}, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]


def test_root_gets_the_isolated_supervisor(environment: Path, as_root: None) -> None:
    done = launch(environment / "bin/tiercel", "run", "-c", "a file", "")
    supervisor = environment / "lib/python3.11/site-packages/tiercel_supervisor/__main__.py"
    assert done.stdout.split("\n") == ["-I", "-S", str(supervisor), "run", "-c", "a file", "", ""]
    assert (done.returncode, done.stderr) == (0, "")


def test_others_get_the_program_without_the_current_directory(environment: Path, as_root: None) -> None:
    nobody = pwd.getpwnam("nobody")
    done = launch(environment / "bin/tiercel", "check", "a file", user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[])
    assert done.stdout.split("\n") == ["-P", "-m", "tiercel", "check", "a file", ""]
    assert (done.returncode, done.stderr) == (0, "")


def test_it_is_found_through_symlinks_and_from_anywhere(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links/first").symlink_to("../a venv/bin/tiercel")
    (tmp_path / "links/second").symlink_to("first")
    done = launch(Path("links/second"), "run", cwd=tmp_path)
    assert done.stdout == launch(environment / "bin/tiercel", "run").stdout != ""


def test_exit_code_is_the_programs(environment: Path) -> None:
    (environment / "bin/python3").write_text("#!/bin/sh\nexit 17\n")
    assert launch(environment / "bin/tiercel").returncode == 17


def test_an_installation_without_supervisor_is_refused(environment: Path, as_root: None) -> None:
    shutil.rmtree(environment / "lib")
    done = launch(environment / "bin/tiercel", "run")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tiercel: no supervisor in this installation")


def test_a_copy_outside_an_environment_is_refused(environment: Path, tmp_path: Path) -> None:
    shutil.copy(environment / "bin/tiercel", tmp_path / "tiercel")
    done = launch(tmp_path / "tiercel", "run")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tiercel: no Python beside this script")


def test_pth_files_of_wheels_do_not_run_as_root(installed: Path, tmp_path: Path, as_root: None) -> None:
    """The promise that the launcher exists for, with the real Python and a .pth that tries."""
    venv = tmp_path / "venv"
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", venv], check=True)
    [packages] = venv.glob("lib/python3.*/site-packages")
    shutil.copy(installed / "tiercel", venv / "bin/tiercel")
    (packages / "evil.pth").write_text(f"import pathlib; pathlib.Path({str(tmp_path / 'ran')!r}).touch()\n")
    (packages / "tiercel_supervisor").mkdir()
    (packages / "tiercel_supervisor/__main__.py").write_text("import sys; print(sys.path, sys.flags.isolated, sys.flags.no_site)\n")
    # The trap works: an ordinary start of this Python runs it.
    subprocess.run([venv / "bin/python3", "-c", ""], check=True)
    (tmp_path / "ran").unlink()
    done = launch(venv / "bin/tiercel", "run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(" 1 1\n")
    assert str(venv) not in done.stdout
    assert not (tmp_path / "ran").exists()
