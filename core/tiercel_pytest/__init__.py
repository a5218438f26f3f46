"""pytest collects tests of rules: files named ``*.test.yaml`` beside other tests (docs/testing-rules.md).

pytest imports this package in every run on a machine where Tiercel is installed, also in runs that have nothing to do with it. So it
imports nothing of `tiercel` until there is such a file, and takes only files that look like ours: others use that name, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from tiercel.testing.rules.bench import Bench, Suite
    from tiercel.testing.rules.model import RuleTest

__all__ = ["pytest_collect_file"]

SUFFIX: Final = ".test.yaml"
_TESTS: Final = re.compile(r"^tests\s*:", re.MULTILINE)
_EXPECTATION: Final = re.compile(r"\bexpect(_none)?\s*:")
_BENCH: Final = pytest.StashKey["Bench"]()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Takes files with tests of rules."""
    if not file_path.name.endswith(SUFFIX):
        return None
    text = file_path.read_text(encoding="utf-8", errors="replace")
    if not (_TESTS.search(text) and _EXPECTATION.search(text)):
        return None
    found: pytest.Collector = _RuleTestFile.from_parent(parent, path=file_path)
    return found


def _bench(config: pytest.Config) -> Bench:
    """Plugins and rules of this run, loaded once."""
    if _BENCH not in config.stash:
        from tiercel.config.files import Files
        from tiercel.plugins import PluginHost
        from tiercel.testing.rules.bench import Bench

        host = PluginHost()
        host.load()
        config.stash[_BENCH] = Bench(host, files=Files())
    return config.stash[_BENCH]


class _RuleTestFile(pytest.File):
    """A file of tests."""

    def collect(self) -> Iterator[pytest.Item]:
        """A test for each."""
        from tiercel.errors import UserError

        try:
            suite = _bench(self.config).suite(self.path)
        except UserError as error:
            raise self.CollectError(str(error)) from error
        for test in suite.file.tests:
            yield _RuleTestItem.from_parent(self, name=test.name, suite=suite, test=test)


class _RuleTestItem(pytest.Item):
    """A test."""

    def __init__(self, *, suite: Suite, test: RuleTest, **more: Any) -> None:
        super().__init__(**more)
        self.suite = suite
        self.test = test

    def runtest(self) -> None:
        """Judges its events; raises if something is not as expected."""
        from tiercel.testing.rules.run import run

        outcome = run(self.suite, self.test)
        if not outcome.passed:
            raise _Failed("\n".join(outcome.problems))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Of a failed test what differs, of a bug the traceback."""
        from tiercel.errors import UserError

        return str(excinfo.value) if isinstance(excinfo.value, _Failed | UserError) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where it stands; lines count from 0."""
        return self.path, self.test.line - 1, self.name


class _Failed(Exception):
    """A test failed."""
