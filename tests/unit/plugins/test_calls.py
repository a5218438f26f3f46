"""Calls of plugins end: in their time, or with an error, on the main thread, on others, and on the loop."""

from __future__ import annotations

import asyncio
import functools
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tiercel.plugins import calls
from tiercel.plugins.calls import Blocked, Late, WrongType, apart, asked, within


def sleeps() -> None:
    time.sleep(60)


def waits() -> None:
    threading.Lock().acquire() and threading.Event().wait()


def spins() -> None:
    while True:
        pass


def swallows() -> None:
    """Takes all of its own errors for passing ones, as many loops do."""
    while True:
        try:
            time.sleep(0.01)
        except Exception:  # noqa: BLE001
            continue


def on_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is a coroutine."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(test(*arguments, **named))

    return run


HANGING = [sleeps, waits, spins, swallows]


def elsewhere(seconds: float, function: Callable[..., Any]) -> Any:
    """`within` on a thread that is not the main one."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(within(seconds, function))
        except BaseException as error:  # noqa: BLE001
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10)
    [value] = found
    if isinstance(value, BaseException):
        raise value
    return value


@pytest.fixture(params=[within, elsewhere, lambda s, f: asyncio.run(apart(s, f))], ids=["main", "thread", "loop"])
def call(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return request.param


@pytest.mark.parametrize("function", HANGING)
def test_a_call_that_hangs_is_late(call: Callable[..., Any], function: Callable[[], None]) -> None:
    began = time.monotonic()
    with pytest.raises(Late, match=r"nothing within 0\.1 s"):
        call(0.1, function)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("function", [spins, swallows])
def test_what_executes_python_is_ended_on_a_thread_too(function: Callable[[], None]) -> None:
    before = set(threading.enumerate())
    with pytest.raises(Late):
        elsewhere(0.1, function)
    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join(5)
    assert not any(thread.is_alive() for thread in left)


def test_threads_that_are_left_behind_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "_left", [])
    end = threading.Event()

    def hangs() -> None:
        while not end.wait(60):  # in the midst of a call of C
            continue

    for _ in range(calls.MAX_LEFT):
        with pytest.raises(Late):
            elsewhere(0.01, hangs)
    with pytest.raises(calls.TooMany, match="16 calls of plugins hang already"):
        elsewhere(5, int)
    end.set()
    for thread in calls._left:
        thread.join(5)
    assert elsewhere(5, int) == 0


def test_others_give_what_they_give(call: Callable[..., Any]) -> None:
    assert call(5, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        call(5, lambda: 1 // 0)


def test_an_error_of_time_that_is_its_own_is_not_ours(call: Callable[..., Any]) -> None:
    def fails() -> None:
        raise TimeoutError("connecting")

    with pytest.raises(TimeoutError, match="connecting"):
        call(5, fails)


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), asyncio.CancelledError()])
def test_what_would_end_more_than_the_call_does_not(call: Callable[..., Any], error: BaseException) -> None:
    def ends() -> None:
        raise error

    with pytest.raises(Exception, match=f"raised {type(error).__name__}"):
        call(5, ends)


def test_no_timer_is_left_and_one_of_a_call_around_goes_on() -> None:
    def around() -> None:
        assert within(5, int) == 0
        sleeps()

    before, (left, _) = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)  # pytest's own, maybe
    with pytest.raises(Late, match=r"0\.2 s"):
        within(0.2, around)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL)[0] == pytest.approx(left, abs=5)


@on_loop
async def test_an_asynchronous_call_may_take_its_time() -> None:
    done = []

    async def works(value: int) -> None:
        await asyncio.sleep(0.05)
        done.append(value)

    await asked(5, works, 7)
    assert done == [7]


@on_loop
async def test_but_only_that() -> None:
    async def hangs() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Late, match=r"nothing within 0\.05 s"):
        await asked(0.05, hangs)


@pytest.mark.parametrize("function", HANGING)
@on_loop
async def test_and_no_step_of_it_may_block(monkeypatch: pytest.MonkeyPatch, function: Callable[[], None]) -> None:
    monkeypatch.setattr(calls, "STEP_SECONDS", 0.1)

    async def blocks() -> None:
        await asyncio.sleep(0)
        function()

    began = time.monotonic()
    with pytest.raises(Blocked, match=r"blocked the asyncio loop for 0\.1 s"):
        await asked(30, blocks)
    assert time.monotonic() - began < 5
    await asyncio.sleep(0)


@on_loop
async def test_a_late_call_is_cancelled_and_may_clean_up() -> None:
    said = []

    async def hangs() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            said.append("closed")

    with pytest.raises(Late):
        await asked(0.05, hangs)
    assert said == ["closed"]


@on_loop
async def test_one_that_swallows_its_cancellation_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "GRACE", 0.05)
    ended = False

    async def stubborn() -> None:
        while not ended:
            try:
                await asyncio.sleep(0.2)
            except asyncio.CancelledError:
                continue

    with pytest.raises(Late):
        await asked(0.05, stubborn)
    ended = True
    await asyncio.sleep(0.3)


@on_loop
async def test_errors_reach_the_caller_and_what_the_call_catches_does_not() -> None:
    async def fails() -> None:
        await asyncio.sleep(0)
        raise KeyError("x")

    async def recovers() -> None:
        try:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(60)
        except TimeoutError:
            return

    with pytest.raises(KeyError):
        await asked(5, fails)
    await asked(5, recovers)
    with pytest.raises(Exception, match="raised SystemExit"):
        await asked(5, exits)


async def exits() -> None:
    await asyncio.sleep(0)
    raise SystemExit(3)


@on_loop
async def test_what_is_no_coroutine_or_returns_something_is_of_the_wrong_type() -> None:
    async def says_no() -> bool:
        return False

    with pytest.raises(WrongType, match=r"returned int, expected a coroutine \(async def\)"):
        await asked(5, lambda: 7)  # type: ignore[arg-type,return-value]
    with pytest.raises(WrongType, match="returned bool, expected None"):
        await asked(5, says_no)


@pytest.mark.parametrize("function", HANGING)
@on_loop
async def test_tasks_of_plugins_may_not_block_either(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, function: Callable[[], None]
) -> None:  # fmt: skip
    monkeypatch.setattr(calls, "STEP_SECONDS", 0.1)
    asyncio.get_running_loop().set_task_factory(calls.task_factory)

    async def works() -> int:
        await asyncio.sleep(0.3)
        return 7

    async def refresh() -> None:
        await asyncio.sleep(0)
        function()

    good, bad = asyncio.create_task(works()), asyncio.create_task(refresh())
    began = time.monotonic()
    with pytest.raises(Blocked):
        await bad
    assert await good == 7
    assert time.monotonic() - began < 5
    assert "a task of a plugin, test_tasks_of_plugins_may_not_block_either.<locals>.refresh, is ended: it blocked" in caplog.text


@on_loop
async def test_tasks_of_plugins_are_tasks_as_any() -> None:
    asyncio.get_running_loop().set_task_factory(calls.task_factory)

    async def forever() -> None:
        await asyncio.Event().wait()

    async def fails() -> None:
        await asyncio.sleep(0)
        raise KeyError("x")

    task = asyncio.create_task(forever(), name="mine")
    await asyncio.sleep(0)
    assert task.get_name() == "mine"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(KeyError):
        await asyncio.create_task(fails())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(forever(), 0.01)
