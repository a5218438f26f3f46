"""What all tests share: where things are, and when a test that cannot run may be skipped.

A test that lacks something (the `shared` directory, root, a kernel that loads BPF programs) is skipped with the reason on a developer's
machine, and fails when the environment says ``CI=true``: a green run there has run everything.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("CI") == "true"

# Shared machines stall for long: a deadline per example only makes noise. In CI the examples are fixed, so that what fails there is the
# change and not the day's luck; script/soak searches.
hypothesis.settings.register_profile(
    "default", deadline=None, derandomize=IN_CI, database=None if IN_CI else hypothesis.settings().database
)
hypothesis.settings.register_profile("soak", deadline=None, max_examples=5_000)
hypothesis.settings.load_profile("default")


def lacking(reason: str) -> NoReturn:
    """Skips the test with the reason; fails it in CI."""
    if IN_CI:
        pytest.fail(f"cannot run in CI: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The directory of conformance vectors, stock rules and recordings that lies beside the checkout."""
    path = ROOT.parent / "shared"
    if not path.is_dir():
        lacking(f"{path} is missing")
    return path


@pytest.fixture(scope="session")
def installed() -> Path:
    """The `bin` directory of the installation that script/setup made: what live tests run."""
    path = Path(os.environ.get("TIERCEL_PREFIX", "/opt/tiercel")) / "venv" / "bin"
    if not (path / "tiercel").is_file():
        lacking(f"no installation in {path}; run script/setup --dev")
    return path


@pytest.fixture(scope="session")
def as_root() -> None:
    """This process is root."""
    if os.geteuid() != 0:
        lacking(f"needs root (uid is {os.geteuid()})")


@pytest.fixture(scope="session")
def live_kernel(as_root: None) -> None:
    """This process may load BPF programs. Every test with the marker `live` asks for it."""
    if not Path("/sys/kernel/btf/vmlinux").is_file():
        lacking("the kernel has no BTF (/sys/kernel/btf/vmlinux)")


@pytest.fixture
def public_path(tmp_path: Path) -> Path:
    """`tmp_path`, for other users too: pytest keeps it and the directories above it for itself."""
    top = Path(tempfile.gettempdir())
    for directory in (tmp_path, *tmp_path.parents):
        if directory == top or not directory.is_relative_to(top):
            break
        directory.chmod(0o755)
    return tmp_path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Makes the marker `live` mean the fixture `live_kernel`."""
    for item in items:
        if item.get_closest_marker("live") and isinstance(item, pytest.Function) and "live_kernel" not in item.fixturenames:
            item.fixturenames.insert(0, "live_kernel")
