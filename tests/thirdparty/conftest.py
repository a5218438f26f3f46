"""Plugins of strangers, built and installed for real beside a wheel of this tree. No network, nothing of the host is changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Its own tests run where it is installed.
collect_ignore = ["tiercel_crew", "tiercel_demo", "tiercel_shop"]

USER = "nobody"
"""Whom a sensor without a supervisor runs as where the tests are root's."""

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]


def call(*command: str | Path, **options: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


def build(project: Path, directory: Path) -> Path:
    """Builds the wheel of a project with the installed backend."""
    call(*PIP, "wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", directory, project)
    [wheel] = directory.glob("*.whl")
    return wheel


class Installation:
    """A virtual environment with tiercel in it, and a directory for the plugins of one test."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.python, self.plugins = python, folder / "plugins"
        self.plugins.mkdir()
        self.configuration = folder / "empty.yaml"
        self.configuration.touch()
        self.environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.plugins), "PYTHONDONTWRITEBYTECODE": "1"}

    def install(self, wheel: Path) -> None:
        """Installs a wheel for this test only."""
        call(*PIP, "install", "--no-index", "--no-deps", "--target", self.plugins, wheel)

    def tiercel(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs the command, with an empty configuration if it names none: the host's own does not count."""
        configuration = () if "-c" in arguments or arguments[0] == "status" or "init" in arguments else ("-c", self.configuration)
        command = [self.python, "-P", "-m", "tiercel", *arguments, *configuration]
        return subprocess.run(command, env=self.environment, cwd=self.plugins, capture_output=True, text=True, check=False)

    def listed(self, name: str, *arguments: str | Path) -> dict[str, Any]:
        """What ``tiercel plugins`` says of a plugin."""
        done = self.tiercel("plugins", "--json", *arguments)
        assert done.returncode == 0, done.stderr
        [found] = [each for each in json.loads(done.stdout) if each["name"] == name]
        return dict(found)


def public_folder() -> Path:
    """A directory that every user may enter; pytest's own are the caller's alone."""
    folder = Path(tempfile.mkdtemp(prefix="tiercel-thirdparty-"))
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def python(repository: Path) -> Iterator[Path]:
    """The interpreter of an environment that has tiercel as built from this tree; its dependencies are this interpreter's."""
    directory = public_folder()
    wheel = build(repository, directory / "dist")
    call(sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", directory / "venv")
    python = directory / "venv/bin/python"
    site = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    call(*PIP, "install", "--no-index", "--no-deps", "--target", site, wheel)
    # After the environment's own packages: what is installed there, an older tiercel among it, stays in the background.
    (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    yield python
    shutil.rmtree(directory)


def wheel_of(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a stranger's project that lies here."""
    return build(Path(__file__).with_name(name), tmp_path_factory.mktemp(name))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the demo plugin: a field."""
    return wheel_of("tiercel_demo", tmp_path_factory)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the shop: a source with its decoder, fields and rules."""
    return wheel_of("tiercel_shop", tmp_path_factory)


@pytest.fixture(scope="session")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the crew: an enricher and an output."""
    return wheel_of("tiercel_crew", tmp_path_factory)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory of one test that every user may enter."""
    made = public_folder()
    yield made
    shutil.rmtree(made)


@pytest.fixture
def installation(python: Path, folder: Path) -> Installation:
    """Tiercel without plugins of strangers."""
    return Installation(python, folder)


Plugin = Callable[..., Path]


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    """Builds the wheel of a plugin made of one module."""

    def make(name: str, code: str, *, entry_point: str = "", requires: str = "tiercel>=0.1,<2", version: str = "1.0") -> Path:
        project = tmp_path / f"project-{name}"
        project.mkdir()
        module = f"tiercel_{name.replace('-', '_')}"
        (project / f"{module}.py").write_text(textwrap.dedent(code))
        (project / "pyproject.toml").write_text(
            textwrap.dedent(f"""\
                [build-system]
                requires = ["hatchling"]
                build-backend = "hatchling.build"
                [project]
                name = "tiercel-{name}"
                version = "{version}"
                dependencies = ["{requires}"]
                [project.entry-points.tiercel]
                {entry_point or name} = "{module}"
                [tool.hatch.build.targets.wheel]
                only-include = ["{module}.py"]
                """)
        )
        return build(project, project / "dist")

    return make
