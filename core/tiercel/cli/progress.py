"""How far a long command is: a bar on standard error, if that is a terminal."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Bar", "bar"]


class Bar:
    """The bar; without a terminal, nothing."""

    def __init__(self, progress: Progress | None = None, task: TaskID | None = None) -> None:
        """Shows a task of a progress display of rich's."""
        self._progress, self._task = progress, task

    def __call__(self, share: float) -> None:
        """So much is done, from 0 to 1."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=share)

    @contextlib.contextmanager
    def printing(self) -> Iterator[None]:
        """Standard output may be written to. If bar and text share a terminal, the bar makes room."""
        shares = self._progress is not None and sys.stdout.isatty()
        if shares and self._progress is not None:
            self._progress.stop()
        yield
        if shares and self._progress is not None:
            self._progress.start()


@contextlib.contextmanager
def bar(description: str) -> Iterator[Bar]:
    """Shows a bar until the end of the block, and then removes it.

    Args:
        description: what is done, shown as it is.
    """
    if not sys.stderr.isatty():
        yield Bar()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False)
    with progress:
        yield Bar(progress, progress.add_task(description, total=1.0))
