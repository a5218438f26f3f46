"""The wheel holds what the tree holds, and installs as it must."""

from __future__ import annotations

import configparser
import email
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOTS = ("core", "plugins/sources", "plugins/outputs", "plugins/enrichers", "rules")
"""The source roots, each holding packages with their real import names."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """A wheel of this tree."""
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = directory.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def names(wheel: zipfile.ZipFile, *, suffix: str = "") -> set[str]:
    """Files that the wheel puts into site-packages, without its metadata."""
    return {name for name in wheel.namelist() if name.endswith(suffix) and not name.split("/", 1)[0].endswith((".dist-info", ".data"))}


def metadata(wheel: zipfile.ZipFile, name: str) -> str:
    """A file of the wheel's ``.dist-info``."""
    [path] = [path for path in wheel.namelist() if path.endswith(f".dist-info/{name}")]
    return wheel.read(path).decode()


def test_wheel_holds_every_file_of_the_tree_and_no_other(wheel: zipfile.ZipFile, repository: Path) -> None:
    expected = {
        str(path.relative_to(repository / root))
        for root in ROOTS
        for path in (repository / root).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and repository / "core/launcher" not in path.parents
    }
    assert names(wheel) == expected


def test_every_file_is_inside_a_package_of_ours(wheel: zipfile.ZipFile) -> None:
    packages = {name.split("/", 1)[0] for name in names(wheel)}
    assert {"tiercel", "tiercel_supervisor", "tiercel_ebpf", "tiercel_ebpf_loader", "tiercel_rules"} <= packages
    assert all(package == "tiercel" or package.startswith("tiercel_") for package in packages), packages


@pytest.mark.parametrize(
    ("package", "suffix"), [("tiercel", "py.typed"), ("tiercel_rules", ".yaml"), ("tiercel_ebpf_loader", ".h")]
)  # fmt: skip
def test_data_files_are_inside(wheel: zipfile.ZipFile, package: str, suffix: str) -> None:
    assert any(name.startswith(f"{package}/") for name in names(wheel, suffix=suffix))


def test_packages_have_init_files(wheel: zipfile.ZipFile) -> None:
    modules = names(wheel, suffix=".py")
    assert {f"{name.rsplit('/', 1)[0]}/__init__.py" for name in modules} <= modules


def test_entry_points_name_modules_of_the_wheel(wheel: zipfile.ZipFile) -> None:
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names are case-sensitive
    parser.read_string(metadata(wheel, "entry_points.txt"))
    assert "tiercel" in parser.sections()
    # The `tiercel` command must not be one: Python's start-up would execute the .pth files of all wheels as root.
    assert "console_scripts" not in parser.sections()
    modules = names(wheel, suffix=".py")
    for section in parser.sections():
        for name, value in parser[section].items():
            path = value.split(":", 1)[0].strip().replace(".", "/")
            assert modules & {f"{path}.py", f"{path}/__init__.py"}, f"entry point {section}.{name} names no module: {value}"


def test_metadata_is_that_of_the_project(wheel: zipfile.ZipFile, repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    message = email.message_from_string(metadata(wheel, "METADATA"))
    assert (message["Name"], message["Version"], message["License-Expression"]) == ("tiercel", project["version"], "Apache-2.0")
    assert metadata(wheel, "licenses/LICENSE") == (repository / "LICENSE").read_text()
    # PyPI's "bcc" is another thing: nobody may get it by installing us.
    assert not any(line.split(">")[0].strip() == "bcc" for line in message.get_all("Requires-Dist", []))


def test_launcher_is_a_shell_script_that_installs_executable(wheel: zipfile.ZipFile, repository: Path) -> None:
    [path] = [name for name in wheel.namelist() if ".data/scripts/" in name]
    assert path.endswith(".data/scripts/tiercel")
    assert wheel.read(path) == (repository / "core/launcher/tiercel").read_bytes()
    assert wheel.read(path).startswith(b"#!/bin/sh\n")
    assert wheel.getinfo(path).external_attr >> 16 & 0o111 == 0o111


def test_pip_installs_the_launcher_into_bin(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    assert wheel.filename
    copy = shutil.copy(wheel.filename, tmp_path)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--ignore-installed", "--prefix"]
    done = subprocess.run([*command, str(tmp_path / "prefix"), copy], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [launcher] = (tmp_path / "prefix").rglob("bin/tiercel")
    assert os.access(launcher, os.X_OK)
