"""The component: when programs are started, and what their ends mean for alerts."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import signal
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from tiercel import Alert, Context, Output, Progress, Retry, Stability, UserError
from tiercel_program.chatter import Chatter
from tiercel_program.process import Process

__all__ = ["Program"]

DATA_ERROR: Final = 65
"""EX_DATAERR of sysexits.h: the input is wrong."""
ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
"""Seconds between two starts of a program that should run on; one that ran so long is no longer suspected."""

PIECE: Final = 500
LARGEST_PIECE: Final = 32768
"""Alerts, and bytes unless one alert has more, that a program gets before it is seen whether it has read them: less than a pipe holds."""
END_SECONDS: Final = 0.2
"""From the end of a program's input to its own."""

_log = logging.getLogger("tiercel.program")


class Program(Output):
    """Runs a program as the user of the sensor. Alerts are data on its standard input, never part of a command."""

    name = "program"
    summary = "Gives alerts to a program on its standard input."
    api_version = "1.0"
    stability = Stability.BETA
    config_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "properties": {
            "command": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
                "description": "Absolute path of the program, and its arguments. No shell reads them.",
            },
            "keep_alive": {
                "type": "boolean",
                "default": False,
                "description": "Whether one run of the program gets all alerts, a line each, or each alert has a run of its own.",
            },
            "format": {"type": "string", "default": "json", "description": "Name of the formatter.", "x-tiercel": "formatter"},
            "environment": {
                "type": "object",
                "default": {},
                "description": "Environment of the program beside PATH and LANG. Values may be secrets.",
                "additionalProperties": {"type": "string", "writeOnly": True, "description": "Value of the variable."},
            },
            "timeout_secs": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 600,
                "default": 10,
                "description": "Longest run for an alert; with keep_alive, longest time in which the program reads nothing.",
            },
            "permanent_exit_codes": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": 255},
                "default": [DATA_ERROR],
                "description": "Without keep_alive: exit codes that refuse the alert for good. After others but 0 it is tried again.",
            },
        },
        "required": ["command"],
        "additionalProperties": False,
    }

    def __init__(self, config: Mapping[str, Any], context: Context) -> None:
        self._where = context.component_id
        self._command: list[str] = config["command"]
        if not self._command[0].startswith("/"):
            msg = f"{self._where}: command begins with the program (got {self._command[0]!r}, expected an absolute path)"
            raise UserError(msg)
        if any("\0" in part for part in (*self._command, *config["environment"].values())):
            msg = f"{self._where}: command and environment cannot have zero bytes"
            raise UserError(msg)
        for name in config["environment"]:
            if not name or "=" in name or "\0" in name:
                msg = f"{self._where}: environment: {name!r} is no name of a variable"
                raise UserError(msg)
        self._environment = ENVIRONMENT | config["environment"]
        self._formatter = context.formatters[config["format"]]
        self._keep_alive, self._seconds = config["keep_alive"], config["timeout_secs"]
        self._permanent = frozenset(config["permanent_exit_codes"])
        self._chatter = Chatter(lambda line: _log.info("output %s: %s", self._where, line), config["environment"].values())
        self._progress = Progress()
        self._process: Process | None = None
        self._unread: list[Alert] = []
        self._starts = 0
        self._started, self._pause = float("-inf"), 0.0

    @classmethod
    def from_config(cls, config: Mapping[str, Any], context: Context) -> Self:
        """Checks the command."""
        return cls(config, context)

    async def open(self) -> None:
        """Looks at the program; it is started with the first alert. Raises `tiercel.UserError`."""
        path = self._command[0]
        if why := await asyncio.to_thread(_not_a_program, path):
            msg = f"{self._where}: command: {path} {why}"
            raise UserError(msg)

    async def deliver(self, batch: Sequence[Alert]) -> None:
        """Gives the program what of the batch it has not had."""
        left = self._progress.left(batch)
        if self._keep_alive:
            await self._feed(left)
            self._progress.finish()
            return
        for alert in left:
            code = await self._run(self._formatter.format(alert) + b"\n")
            if code in self._permanent:
                self._progress.refuse([alert], f"{self._command[0]} {_described(code)}")
            elif code:
                msg = f"{self._command[0]} {_described(code)}"
                raise Retry(msg)
            else:
                self._progress.accept([alert])
        self._progress.finish()

    async def _run(self, data: bytes) -> int:
        """Exit code of a run for one alert."""
        process = self._start()
        try:
            async with asyncio.timeout(self._seconds):
                with contextlib.suppress(BrokenPipeError):  # it does not want to know more: its exit code counts
                    await process.write(data, seconds=self._seconds)
                process.close_input()
                return await asyncio.shield(process.ended)
        except TimeoutError as error:
            msg = f"{self._command[0]} took more than {self._seconds:g} s and was ended"
            raise Retry(msg) from error
        finally:
            process.kill()
            self._chatter.flush()

    async def _feed(self, left: list[Alert]) -> None:
        """Gives lines to the program that runs on, started if need be, in pieces: after a failure a new run gets those that were not read.

        If this is interrupted while the program reads, it goes on reading, and the next call waits for that.
        """
        while left or self._unread:
            if self._process is not None and self._process.ended.done():
                self._drop()
            if self._process is None:
                self._wait_for_turn()
                self._process = self._start()
            if not self._unread:
                lines = [self._formatter.format(alert) + b"\n" for alert in left[:PIECE]]
                sizes = list(itertools.accumulate(map(len, lines)))
                number = max(1, sum(size <= LARGEST_PIECE for size in sizes))
                await self._supervised(self._process, self._process.write(b"".join(lines[:number]), seconds=self._seconds), written=False)
                self._unread = left[:number]
            await self._supervised(self._process, self._process.read_all(seconds=self._seconds), written=True)
            self._progress.accept(self._unread)
            read = {alert.id for alert in self._unread}
            left, self._unread = [alert for alert in left if alert.id not in read], []

    async def _supervised(self, process: Process, call: Coroutine[Any, Any, None], *, written: bool) -> None:
        """Awaits a call about the process that runs on. What goes wrong ends the process, but for an interruption when all is written."""
        try:
            await call
        except asyncio.CancelledError:
            if not written:
                self._drop()  # half a line may be there
            raise
        except BaseException as error:
            if isinstance(error, BrokenPipeError):  # that it has ended may come a little later
                await asyncio.wait({process.ended}, timeout=END_SECONDS)
            how = _described(process.ended.result()) if process.ended.done() else "has closed its standard input"
            self._drop()
            if isinstance(error, BrokenPipeError):
                msg = f"{self._command[0]} {how} before it had read everything"
                raise Retry(msg) from error
            if isinstance(error, TimeoutError):
                msg = f"{self._command[0]} read nothing for {self._seconds:g} s and was ended"
                raise Retry(msg) from error
            raise

    def _wait_for_turn(self) -> None:
        """Raises `tiercel.Retry` if the last run was so short that the next one has to wait."""
        now = asyncio.get_running_loop().time()
        if self._starts and now < self._started + self._pause:
            msg = f"{self._command[0]} ended soon after its start"
            raise Retry(msg, after=self._started + self._pause - now)

    def _start(self) -> Process:
        self._started = asyncio.get_running_loop().time()
        self._starts += 1
        try:
            return Process(self._command, self._environment, self._chatter.take)
        except OSError as error:
            self._lengthen()
            msg = f"{self._command[0]}: {error.strerror}"
            raise Retry(msg) from error

    def _drop(self) -> None:
        """Forgets the run."""
        process, self._process, self._unread = self._process, None, []
        if process is not None:
            process.kill()
            self._chatter.flush()
        if asyncio.get_running_loop().time() - self._started >= LONGEST_PAUSE:
            self._pause = 0.0
        else:
            self._lengthen()

    def _lengthen(self) -> None:
        self._pause = min(LONGEST_PAUSE, 2 * self._pause or FIRST_PAUSE)

    def counters(self) -> Mapping[str, int]:
        """``starts`` of the program; ``lines_left_out``: what it wrote and the log does not have."""
        return {"starts": self._starts, "lines_left_out": self._chatter.left_out}

    async def reopen(self) -> None:
        """A program that runs on ends, as Falco's does; the next batch starts it again."""
        await self.close()
        self._pause = 0.0

    async def close(self) -> None:
        """Ends a program that runs on: it sees the end of its input and has some seconds for the rest."""
        process, self._process, self._unread = self._process, None, []
        if process is not None:
            await process.end()
            self._chatter.flush()


def _not_a_program(path: str) -> str:
    """What is wrong with a path, empty if nothing is."""
    if not Path(path).exists():
        return "is not there"
    return "" if Path(path).is_file() and os.access(path, os.X_OK) else "cannot be executed by the user that the sensor runs as"


def _described(code: int) -> str:
    """How a program ended."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:  # real-time signals have no names
        return f"was ended by signal {-code}"
