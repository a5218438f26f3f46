from pathlib import Path

import pytest

from tiercel.runtime.paths import resolved


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/cat").touch()
    (tmp_path / "bin").symlink_to("usr/bin")
    (tmp_path / "log").symlink_to("/dev/null")
    return tmp_path.resolve()


def test_links_to_directories_are_followed(tree: Path) -> None:
    assert resolved(f"{tree}/bin/cat") == f"{tree}/usr/bin/cat"
    assert resolved(f"{tree}/bin/not-there") == f"{tree}/usr/bin/not-there"
    assert resolved(f"{tree}/bin/") == f"{tree}/usr/bin/"
    assert resolved(f"{tree}/bin") == f"{tree}/usr/bin"


def test_nothing_changes_without_a_link(tree: Path) -> None:
    assert resolved(f"{tree}/usr/bin/cat") is None
    assert resolved(f"{tree}/usr/bin/") is None
    assert resolved("/") is None
    assert resolved("relative") is None
    assert resolved("") is None


def test_the_link_of_a_file_is_not_followed(tree: Path) -> None:
    assert resolved(f"{tree}/log") is None  # or every open of /dev/null would be an open of the log
