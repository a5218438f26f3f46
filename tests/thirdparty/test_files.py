"""Plugin files, as root and as another user: who could change one decides, and for whom it is run."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.thirdparty.conftest import USER, Installation

CODE = """\
from pathlib import Path

from tiercel import FieldType, field, hookimpl

Path({mark!r}).touch()


@field("mine.x", type=FieldType.UINT64, inputs=("evt.num",), description="A number.")
def number(value):
    return value


@hookimpl
def tiercel_register_fields():
    return [number]
"""
STRANGER = 12345


class Case:
    """A plugin file in a directory that any user may enter."""

    def __init__(self, installation: Installation, folder: Path) -> None:
        self.installation, self.folder = installation, folder
        self.directory = folder / "etc"
        self.directory.mkdir(mode=0o755)
        self.marks = folder / "marks"
        self.marks.mkdir()
        self.marks.chmod(0o777)
        self.file = self.directory / "mine.py"
        self.file.write_text(CODE.format(mark=str(self.marks / "run")))
        self.file.chmod(0o644)
        self.config = folder / "tiercel.yaml"
        self.config.write_text(f"plugins: {{paths: [{self.file}]}}\n")
        self.config.chmod(0o644)

    def state(self, user: str) -> tuple[str, str]:
        """State and reason, as a user sees them; whether the file was run must fit."""
        (self.marks / "run").unlink(missing_ok=True)
        entry = pwd.getpwnam(user)
        command: list[str | Path] = [self.installation.python, "-P", "-m", "tiercel", "plugins", "--json", "-c", self.config]
        done = subprocess.run(
            command, env=self.installation.environment, cwd="/", capture_output=True, text=True, check=True,
            user=entry.pw_uid, group=entry.pw_gid, extra_groups=[],
        )  # fmt: skip
        [found] = [each for each in json.loads(done.stdout) if each["name"] == "mine"]
        assert (self.marks / "run").exists() == (found["state"] == "loaded")
        return found["state"], found["reason"]


def linked(case: Case) -> None:
    """The configuration leads to the file over a link of a stranger."""
    real = case.file.rename(case.directory / "real.py")
    case.file.symlink_to(real)
    os.lchown(case.file, STRANGER, -1)


@pytest.fixture
def case(installation: Installation, folder: Path, as_root: None) -> Case:
    return Case(installation, folder)


def test_one_of_root_is_run_for_all(case: Case) -> None:
    for user in ("root", USER):
        assert case.state(user) == ("loaded", "")


@pytest.mark.parametrize("what", ["file", "directory"])
def test_one_of_a_user_is_run_for_that_user_only(case: Case, what: str) -> None:
    path: Path = getattr(case, what)
    os.chown(path, pwd.getpwnam(USER).pw_uid, -1)
    assert case.state(USER) == ("loaded", "")
    state, reason = case.state("root")
    assert state == "refused"
    assert reason == f"{path}: belongs to somebody else (got uid {pwd.getpwnam(USER).pw_uid}, expected root)"


@pytest.mark.parametrize("user", ["root", USER])
@pytest.mark.parametrize(
    ("how", "words"),
    [
        (lambda case: os.chown(case.file, STRANGER, -1), "belongs to somebody else"),
        (lambda case: os.chown(case.directory, STRANGER, -1), "belongs to somebody else"),
        (lambda case: os.chown(case.folder, STRANGER, -1), "belongs to somebody else"),
        (lambda case: case.file.chmod(0o664), "others may write there (got mode 664)"),
        (lambda case: case.directory.chmod(0o775), "others may write there (got mode 775)"),
        (lambda case: case.folder.chmod(0o757), "others may write there (got mode 757)"),
        (linked, "a symbolic link of somebody else"),
    ],
)
def test_one_that_others_could_change_is_run_for_nobody(case: Case, user: str, how: Any, words: str) -> None:
    how(case)
    state, reason = case.state(user)
    assert state == "refused"
    assert words in reason
