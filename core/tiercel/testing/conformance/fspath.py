"""Kind ``fspath``: the fields ``fs.path.*`` of a system call, from its parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from tiercel.fspath import call_paths
from tiercel.testing.conformance.cases import Case, differ
from tiercel.testing.conformance.setting import Setting

__all__ = ["path_fields"]


def path_fields(case: Case, _setting: Setting) -> Iterator[str]:
    """Problems of one case."""
    descriptors = {int(number): path for number, path in case["open_fds"].items()}
    paths = call_paths(case["evt.type"], dict(case["params"]), cwd=case["cwd"], path_of=descriptors.get)
    got = {f"fs.path.{name}": value for name, value in asdict(paths).items() if value is not None}
    yield from differ("the fields", case["expect"], got)
