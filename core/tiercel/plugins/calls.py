"""Calls of plugins that end: in their time, or with an error that says so.

A plugin that hangs must cost one error and not the sensor. Nothing in Python ends a call from outside, but two things come close, and which
of them is used depends on the thread:

- On the main thread, which runs the asyncio loop: a timer's signal (setitimer(2), ITIMER_REAL), whose handler raises `Overdue` in the
  midst of the call. It ends loops, ``sleep``, locks, and system calls that wait.
- Elsewhere: the call runs on a thread of its own, which is left behind when it is late. `Overdue` is raised there, too, and ends
  what executes Python; a system call that waits goes on to wait, and nobody waits for it.

An asynchronous call may take its time, but no single step of it: a step that blocks holds up the loop, and everybody on it.
What ends neither way (a loop in C that holds the interpreter) stops the sensor's heart-beat, and its service manager starts it anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import threading
import types
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from contextvars import Context
from pathlib import Path
from typing import Any, Final

__all__ = [
    "FROM_CONFIG_SECONDS",
    "HOOK_SECONDS",
    "IMPORT_SECONDS",
    "MAX_LEFT",
    "STEP_SECONDS",
    "Blocked",
    "Late",
    "Overdue",
    "TooMany",
    "WrongType",
    "apart",
    "asked",
    "interrupt",
    "task_factory",
    "within",
]

IMPORT_SECONDS: Final = 30.0
"""For the import of a plugin: some bring large libraries, and disks may be cold."""
HOOK_SECONDS: Final = 10.0
"""For a hook; and for a secret, which another host may have to be asked for."""
FROM_CONFIG_SECONDS: Final = 10.0
"""For what is pure."""
STEP_SECONDS: Final = 5.0
"""For one step of an asynchronous call."""
GRACE: Final = 1.0
"""Seconds that a late call has to end when it is interrupted; and between two attempts to interrupt it."""
MAX_LEFT: Final = 16
"""Threads with calls that have not ended when they were interrupted; while there are so many, no other call gets a thread."""

_CORE: Final = str(Path(__file__).parents[1]) + os.sep
_log = logging.getLogger("tiercel.plugins")
_left: list[threading.Thread] = []


class Late(Exception):
    """A call has not ended in its time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"nothing within {seconds:g} s")


class Blocked(Late):
    """An asynchronous call blocked the loop."""

    def __init__(self) -> None:
        Exception.__init__(self, f"blocked the asyncio loop for {STEP_SECONDS:g} s; what waits must be awaited, or run in a thread")


class TooMany(Exception):
    """Nothing was called: too many calls before it have not ended."""

    def __init__(self) -> None:
        super().__init__(f"not called: {MAX_LEFT} calls of plugins hang already")


class WrongType(Exception):
    """A call returned what it may not, or left it somewhere."""

    def __init__(self, value: object, expected: str, *, did: str = "returned") -> None:
        super().__init__(f"{did} {type(value).__name__}, expected {expected}")


class Overdue(BaseException):
    """Raised inside a late call. No `Exception`: what a plugin does about its own errors must not keep it alive."""


class _Rang(Exception):
    """The timer of a call has ended it."""


class _Ended(Exception):
    """A plugin raised what would end a thread, a task or the process."""


def within(seconds: float, function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function of a plugin; waits for it, whatever thread this is.

    Raises:
        Late: it has not ended in its time.
        TooMany: too many before it hang on other threads.
        Exception: what it raised. What is no `Exception`, such as `SystemExit`, becomes one.
    """
    if threading.current_thread() is not threading.main_thread():
        thread = _Aside(function, arguments)
        try:
            return thread.result.result(seconds)
        except TimeoutError:
            if thread.result.done():
                raise  # its own
            thread.interrupt()
            raise Late(seconds) from None
    try:
        return _alarmed(seconds, function, *arguments)
    except _Rang:
        raise Late(seconds) from None
    except (Exception, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise _ended(error) from error


async def apart(seconds: float | None, function: Callable[..., Any], *arguments: Any) -> Any:
    """`within` on a thread of its own, while the loop goes on; without a limit if there are no seconds.

    Raises:
        Late: see `within`.
        TooMany: see `within`.
        Exception: see `within`.
    """
    thread = _Aside(function, arguments)
    future = asyncio.wrap_future(thread.result)
    try:
        done, _ = await asyncio.wait({future}, timeout=seconds)
    except asyncio.CancelledError:
        thread.interrupt()
        raise
    if not done:
        thread.interrupt()
        raise Late(seconds or 0)
    return future.result()


def interrupt(thread: threading.Thread) -> None:
    """Raises `Overdue` in a thread, when it next executes Python."""
    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Overdue))


async def asked(seconds: float, function: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any) -> None:
    """Awaits an asynchronous function of a plugin that returns nothing. One that does not end when it is interrupted is left behind.

    Raises:
        Late: it has not ended in its time.
        Blocked: one step of it has not.
        WrongType: it is no such function.
        Exception: what it raised.
    """
    task = asyncio.ensure_future(_steps(function, arguments))
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            task.cancel()
            await asyncio.wait({task}, timeout=GRACE)
            raise Late(seconds)
    except asyncio.CancelledError:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=GRACE)
        if task.done() and not task.cancelled():
            task.exception()  # nobody wants to know any more
        raise
    if task.cancelled():
        raise _Ended("raised CancelledError")
    value = task.result()
    if value is not None:  # False would be a failure that nobody notices
        raise WrongType(value, "None")


def task_factory(loop: asyncio.AbstractEventLoop, coroutine: Any, *, context: Context | None = None) -> asyncio.Task[Any]:
    """For `asyncio.loop.set_task_factory`: tasks that a plugin starts may not block the loop either."""
    code = getattr(coroutine, "cr_code", None)
    if code is not None and not code.co_filename.startswith(_CORE):
        coroutine = _unblocked(coroutine)
    return asyncio.Task(coroutine, loop=loop, context=context)


async def _unblocked(coroutine: Coroutine[Any, Any, Any]) -> Any:
    try:
        return await _driven(coroutine)
    except Blocked as error:
        _log.error("a task of a plugin, %s, is ended: it %s", getattr(coroutine, "__qualname__", coroutine), error)
        raise


async def _steps(function: Callable[..., Coroutine[Any, Any, Any]], arguments: tuple[Any, ...]) -> Any:
    coroutine = _step(function, *arguments)
    if not asyncio.iscoroutine(coroutine):
        raise WrongType(coroutine, "a coroutine (async def)")
    try:
        return await _driven(coroutine)
    except (SystemExit, GeneratorExit) as error:
        raise _ended(error) from error


@types.coroutine
def _driven(coroutine: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Awaits a coroutine, each step of it with a time limit."""
    step: Callable[..., Any] = coroutine.send
    given: object = None
    while True:
        try:
            waited_for = _step(step, given)
        except StopIteration as end:
            return end.value
        try:
            given = yield waited_for
            step = coroutine.send
        except BaseException as error:  # noqa: BLE001  the coroutine's business
            step, given = coroutine.throw, error


def _step(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return _alarmed(STEP_SECONDS, function, *arguments)
    except _Rang:
        raise Blocked from None


def _alarmed(seconds: float, function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function on the main thread, and interrupts it when it is late; elsewhere, just calls it.

    A signal's handler runs between two instructions of the main thread, so it may also come when the call is just over: it raises only
    while `calling` says so, and every way out of the inner block ends that before anything else is called.
    """
    if threading.current_thread() is not threading.main_thread():
        return function(*arguments)
    calling = True

    def ring(number: int, frame: types.FrameType | None) -> None:
        del number, frame
        if calling:
            raise Overdue

    handler = signal.signal(signal.SIGALRM, ring)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds, GRACE)
    try:
        try:
            return function(*arguments)
        finally:
            calling = False
    except Overdue:
        raise _Rang from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)  # of a call around this one, or none
        signal.signal(signal.SIGALRM, handler)


class _Aside:
    """A thread with one call."""

    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        _left[:] = [thread for thread in _left if thread.is_alive()]
        if len(_left) >= MAX_LEFT:
            raise TooMany
        self.result: Future[Any] = Future()
        self._call = function, arguments
        self._thread = threading.Thread(target=self._run, name=f"call {getattr(function, '__qualname__', '')}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(Overdue):  # which may come when the call is over
            function, arguments = self._call
            try:
                value = function(*arguments)
            except BaseException as error:  # noqa: BLE001  for who waits
                if self.result.set_running_or_notify_cancel():
                    self.result.set_exception(error if isinstance(error, Exception) else _ended(error))
            else:
                if self.result.set_running_or_notify_cancel():
                    self.result.set_result(value)

    def interrupt(self) -> None:
        """Raises `Overdue` there, when it next executes Python."""
        self.result.cancel()
        _left.append(self._thread)
        interrupt(self._thread)


def _ended(error: BaseException) -> Exception:
    return _Ended(f"raised {type(error).__name__}({error})")
