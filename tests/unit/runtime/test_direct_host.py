"""Granted files without a supervisor: what cannot be written to shows at once, and nothing waits."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tiercel import UserError
from tiercel.runtime.host import DirectHost


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (Path.mkdir, "Is a directory"),
        (os.mkfifo, "it is no regular file"),
        (lambda path: path.symlink_to("/dev/full"), "it is no regular file"),
    ],
)
def test_what_is_no_file(tmp_path: Path, make: Callable[[Path], None], reason: str) -> None:
    make(tmp_path / "out")
    with pytest.raises(UserError, match=f"{tmp_path}/out: not opened: {reason}"):
        DirectHost({"out": (str(tmp_path / "out"), "append")}).open_granted("out")


def test_files_are_created_and_appended_to(tmp_path: Path) -> None:
    for text in (b"a", b"b"):
        descriptor = DirectHost({"out": (str(tmp_path / "out"), "append")}).open_granted("out")
        assert os.get_blocking(descriptor)
        os.write(descriptor, text)
        os.close(descriptor)
    assert (tmp_path / "out").read_bytes() == b"ab"
