"""One run of a program on the asyncio loop: pipes of our own, and its end by a pidfd.

asyncio's own processes have a socket for standard input, which a program cannot open again as /dev/stdin.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import os
import select
import signal
import subprocess
import termios
from collections.abc import Callable, Mapping, Sequence
from typing import Final

__all__ = ["Process"]

READ: Final = 65536
LONGEST_LOOK: Final = 0.02
"""Seconds between two looks at what the program has not read yet."""
EOF_SECONDS: Final = 3.0
"""How long a program has to end by itself after the end of its input."""
TERM_SECONDS: Final = 1.0
KILL_SECONDS: Final = 0.2


class Process:
    """Started when it is made; `end` or `kill` releases what it holds."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], said: Callable[[bytes], None]) -> None:
        """Starts the program in a session of its own, in the root directory.

        Args:
            command: path and arguments.
            environment: all of its environment.
            said: called with what it writes to standard output and standard error.

        Raises:
            OSError: it cannot be started.
        """
        self._loop = asyncio.get_running_loop()
        self._said = said
        stdin, self._input = os.pipe2(os.O_CLOEXEC)
        self._output, stdout = os.pipe2(os.O_CLOEXEC)
        try:
            self._popen = subprocess.Popen(
                command, stdin=stdin, stdout=stdout, stderr=stdout, env=dict(environment), cwd="/", start_new_session=True
            )
            self._end = os.pidfd_open(self._popen.pid)
        except OSError:
            os.close(self._input)
            os.close(self._output)
            raise
        finally:
            os.close(stdin)
            os.close(stdout)
        self.ended: asyncio.Future[int] = self._loop.create_future()
        """Its exit code, or the negative number of the signal that ended it."""
        self._seen = (-1, 0.0)  # bytes that were there to be read, and since when
        for descriptor in (self._input, self._output):
            os.set_blocking(descriptor, False)
        self._loop.add_reader(self._output, self._listen)
        self._loop.add_reader(self._end, self._over)

    async def write(self, data: bytes, *, seconds: float) -> None:
        """Writes data.

        Raises:
            BrokenPipeError: the program has closed its input or has ended.
            TimeoutError: it read nothing for so many seconds.
        """
        at, self._seen = 0, (-1, 0.0)
        while at < len(data):
            try:
                at += os.write(self._input, data[at : at + READ])
            except BlockingIOError:
                async with asyncio.timeout(seconds):
                    await self._writable()

    async def read_all(self, *, seconds: float) -> None:
        """Waits until the program has read everything. Raises as `write` does; the time counts on over calls that were interrupted."""
        pause = 0.0005
        while left := self._unread():
            if self.ended.done():
                raise BrokenPipeError
            if left != self._seen[0]:
                self._seen = left, self._loop.time()
            elif self._loop.time() > self._seen[1] + seconds:
                raise TimeoutError
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_LOOK)

    def close_input(self) -> None:
        """The program sees the end of its input."""
        if self._input >= 0:
            self._loop.remove_writer(self._input)
            os.close(self._input)
        self._input = -1

    async def end(self) -> None:
        """Ends the program: by the end of its input, then by SIGTERM, then by SIGKILL."""
        self.close_input()
        try:
            for seconds, number in ((EOF_SECONDS, signal.SIGTERM), (TERM_SECONDS, signal.SIGKILL)):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(self.ended), seconds)
                    return
                self._signal(number)
        finally:
            self.kill()

    def kill(self) -> None:
        """Ends the program, and what it has started in its session, at once. Can be called again."""
        self._signal(signal.SIGKILL)
        self.close_input()
        if not self.ended.done() and select.select([self._end], (), (), KILL_SECONDS)[0]:
            self._over()  # otherwise the kernel keeps it (a file system that hangs): it is waited for when it ends, not here
        self._listen()
        self._close_output()

    def _signal(self, number: int) -> None:
        if not self.ended.done():  # as long as it is not waited for, its number is its own
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, number)

    def _over(self) -> None:
        """It has ended, so that to wait for it takes no time."""
        self._loop.remove_reader(self._end)
        os.close(self._end)
        self.ended.set_result(self._popen.wait())

    def _listen(self) -> None:
        if self._output < 0:
            return
        try:
            data = os.read(self._output, READ)
        except BlockingIOError:
            return
        if data:
            self._said(data)
        else:
            self._close_output()

    def _close_output(self) -> None:
        if self._output >= 0:
            self._loop.remove_reader(self._output)
            os.close(self._output)
        self._output = -1

    def _unread(self) -> int:
        number = array.array("i", [0])
        fcntl.ioctl(self._input, termios.FIONREAD, number)
        return number[0]

    async def _writable(self) -> None:
        ready = asyncio.Event()
        self._loop.add_writer(self._input, ready.set)
        try:
            await ready.wait()
        finally:
            self._loop.remove_writer(self._input)
