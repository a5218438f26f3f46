"""script/install, into a directory: what a package would hold. The checkout must be what is installed, as script/test makes sure."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.usefixtures("as_root"), pytest.mark.slow]

CONFIG = "/etc/tiercel/tiercel.yaml"


@pytest.fixture
def root(folder: Path) -> Path:
    """Where to."""
    return folder / "root"


def install(repository: Path, *arguments: str | Path) -> list[str]:
    """Runs script/install, which must succeed; what it says that it changed."""
    done = subprocess.run([repository / "script/install", *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return [line.removeprefix("install: ") for line in done.stderr.splitlines() if line.startswith("install: ")]


def held(root: Path) -> set[str]:
    """Paths of the files, and of the environment's command instead of all that is in it."""
    files = {f"/{path.relative_to(root)}" for path in root.rglob("*") if path.is_file() or path.is_symlink()}
    return {path for path in files if "/venv/" not in path or path.endswith("/venv/bin/tiercel")}


def test_install_again_and_uninstall(repository: Path, installed: Path, root: Path) -> None:
    prefix = str(installed.parents[1])
    changed = install(repository, "--root", root)
    manifest = [line.split() for line in (repository / "core/tiercel/packaging/MANIFEST").read_text().splitlines() if line[:1] != "#"]
    expected = {destination for _, destination in manifest if destination != "-"} | {"/usr/local/bin/tiercel", CONFIG}
    assert set(changed) == expected | {prefix}
    assert held(root) == expected | {f"{prefix}/venv/bin/tiercel", f"{prefix}/stamp"}
    assert os.readlink(root / "usr/local/bin/tiercel") == f"{prefix}/venv/bin/tiercel"
    texts = {path: (root / path[1:]).read_text() for path in expected if "/bin/" not in path}
    assert not [path for path, text in texts.items() if "@bin@" in text]
    assert f"ExecStart={prefix}/venv/bin/tiercel run\n" in texts["/usr/local/lib/systemd/system/tiercel.service"]
    modes = {path: (root / path[1:]).stat().st_mode & 0o7777 for path in texts}
    assert set(modes.values()) == {0o644}

    assert install(repository, "--root", root) == []
    (root / "etc/logrotate.d/tiercel").write_text("an older one")
    assert install(repository, "--root", root) == ["/etc/logrotate.d/tiercel"]

    checked = subprocess.run([installed / "tiercel", "check", "--config", root / CONFIG[1:]], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr

    (root / CONFIG[1:]).write_text("mine")
    assert install(repository, "--root", root) == []
    install(repository, "--uninstall", "--root", root)
    assert held(root) == {CONFIG}
    assert (root / CONFIG[1:]).read_text() == "mine"
    install(repository, "--uninstall", "--root", root)
    install(repository, "--uninstall", "--purge", "--root", root)
    assert held(root) == set()


@pytest.mark.parametrize("arguments", [["--rot", "x"], ["--root"], ["--purge"], ["x"]])
def test_mistakes_change_nothing(repository: Path, arguments: list[str]) -> None:
    done = subprocess.run([repository / "script/install", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith("install: error: ")
