"""What tests of the files that come with the package share."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

Check = Callable[[Path], str]
"""Has ``tiercel check`` look at a configuration, which must be valid; what it says."""


@pytest.fixture
def check(repository: Path) -> Check:
    """The command of this checkout, with all of the built-in plugins."""
    roots = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["dev-mode-dirs"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(str(repository / root) for root in roots)}

    def run(config: Path) -> str:
        command = [sys.executable, "-P", "-m", "tiercel", "check", "--config", str(config)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run
