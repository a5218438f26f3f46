"""What makes a running sensor reload: SIGHUP, a file that changed, and `tiercel reload`."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import signal
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from tiercel.runtime.control import Control
from tiercel.runtime.watch import Watch

if TYPE_CHECKING:
    from tiercel.runtime.reload import Reloader

__all__ = ["EarlySignal", "Triggers"]

_log = logging.getLogger("tiercel.reload")


class EarlySignal:
    """Takes SIGHUP before anything can be reloaded: what it is about may have been read already."""

    def __init__(self) -> None:
        """From now on."""
        self.came = False
        signal.signal(signal.SIGHUP, self._note)

    def _note(self, *_: object) -> None:
        self.came = True


class Triggers:
    """All three, on the asyncio loop."""

    def __init__(self, reloader: Reloader, early: EarlySignal) -> None:
        """Starts nothing."""
        self._reloader, self._early = reloader, early
        self._watch = Watch(lambda: reloader.reload("a file changed"))
        self._control = Control(reloader.generation.config.state_dir, {"reload": self._asked})
        self._tasks: set[asyncio.Task[Any]] = set()
        reloader.done = lambda: self._spawn(self._watch_files())

    async def start(self) -> None:
        """From now on. What cannot be had is logged."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hang_up)
        if self._early.came:
            self._hang_up()
        await self._control.start()
        await self._watch_files()

    async def close(self) -> None:
        """Nothing more; what is under way is left alone."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, lambda: None)
        await self._control.close()
        await self._watch.close()

    def _hang_up(self) -> None:
        self._spawn(self._reloader.reload("SIGHUP", grants=True))

    async def _asked(self) -> Mapping[str, Any]:
        outcome = await self._reloader.reload("tiercel reload")
        return {**dataclasses.asdict(outcome), "summary": outcome.summary}

    async def _watch_files(self) -> None:
        """As the generation in force says."""
        reloader, watch = self._reloader, self._watch
        if not reloader.generation.config.watch_files:
            await watch.close()
        elif watch.running:
            watch.use(reloader.files, since=reloader.read_at)
        else:
            watch.start(reloader.files, since=reloader.read_at)

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        self._tasks.add(task := asyncio.ensure_future(work))
        task.add_done_callback(self._tasks.discard)
