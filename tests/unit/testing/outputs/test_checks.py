"""The checks of outputs find what they are for: an output that is right passes all of them, and each mistake is caught."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
import unittest
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import pytest

from tiercel import Alert, Context, Output, Permanent, Progress, Retry, Stability
from tiercel.testing.outputs import CHECKS, Destination, run


class Place:
    """Where the outputs of this module deliver."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.away = False

    def destination(self) -> Destination:
        return Destination(
            config={"token": "hunter2"},
            received=lambda: list(self.records),
            stop=lambda: setattr(self, "away", True),
            start=lambda: setattr(self, "away", False),
            seconds=1,
        )


class Right(Output):
    name = "right"
    summary = "Keeps all promises."
    api_version = "1.0"
    stability = Stability.STABLE
    config_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "properties": {
            "token": {"type": "string", "description": "Token.", "writeOnly": True},
            "format": {"type": "string", "default": "json", "description": "Formatter.", "x-tiercel": "formatter"},
        },
        "additionalProperties": False,
    }
    place: ClassVar[Place]

    def __init__(self, config: Mapping[str, Any], context: Context) -> None:
        self.token, self.formatter = config["token"], context.formatters[config["format"]]
        self.progress, self.sent = Progress(), 0
        self.descriptor = -1

    @classmethod
    def from_config(cls, config: Mapping[str, Any], context: Context) -> Self:
        return cls(config, context)

    async def open(self) -> None:
        self.descriptor = os.open("/dev/null", os.O_RDONLY)

    async def deliver(self, batch: Sequence[Alert]) -> None:
        for alert in self.progress.left(batch):
            await asyncio.sleep(0)
            if self.place.away:
                raise Retry("nobody there")
            self.place.records.append(self.formatter.format(alert))
            self.progress.accept([alert])
            self.sent += 1
        self.progress.finish()

    def counters(self) -> Mapping[str, int]:
        return {"sent": self.sent}

    async def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.descriptor = -1


def changed(**schema: Any) -> Mapping[str, Any]:
    return {**Right.config_schema, "properties": {**Right.config_schema["properties"], **schema}}


class WithoutVersion(Right):
    api_version = "2.0"


class SecretShown(Right):
    config_schema = changed(token={"type": "string", "description": "Token."})


class Undescribed(Right):
    config_schema = changed(more={"type": "string"})


class FormatUnmarked(Right):
    config_schema = changed(format={"type": "string", "default": "json", "description": "Formatter."})


class OpensEarly(Right):
    def __init__(self, config: Mapping[str, Any], context: Context) -> None:
        super().__init__(config, context)
        self.end, other = os.pipe()
        os.close(other)


class ClosesOnce(Right):
    async def close(self) -> None:
        os.close(self.descriptor)


class LeavesOpen(Right):
    async def close(self) -> None:
        os.dup(self.descriptor)
        await super().close()


class LeavesThread(Right):
    async def open(self) -> None:
        threading.Thread(target=time.sleep, args=(3,), daemon=True).start()


class LeavesTask(Right):
    async def open(self) -> None:
        self.task = asyncio.create_task(asyncio.sleep(3))


class Loses(Right):
    async def deliver(self, batch: Sequence[Alert]) -> None:
        await super().deliver(batch[:200])


class Doubles(Right):
    async def deliver(self, batch: Sequence[Alert]) -> None:
        await super().deliver([*batch, *batch[-1:]])


class Reverses(Right):
    async def deliver(self, batch: Sequence[Alert]) -> None:
        await super().deliver(batch[::-1])


class MindsTheEmpty(Right):
    async def deliver(self, batch: Sequence[Alert]) -> None:
        await super().deliver([batch[0], *batch[1:]])


class SplitsLines(Right):
    async def deliver(self, batch: Sequence[Alert]) -> None:
        for alert in batch:
            self.place.records += f"{alert.id} {alert.message}".encode(errors="replace").splitlines()


class BreaksOnSurrogates(Right):
    async def deliver(self, batch: Sequence[Alert]) -> None:
        self.place.records += [f"{alert.id} {alert.message!a}".encode() for alert in batch if alert.message.encode() or True]


class RefusesAll(Right):
    async def deliver(self, batch: Sequence[Alert]) -> None:
        if any(len(alert.message) > 1000 for alert in batch):
            raise Permanent("too long")
        await super().deliver(batch)


class RaisesOther(Right):
    async def deliver(self, batch: Sequence[Alert]) -> None:
        if self.place.away:
            raise ConnectionRefusedError
        await super().deliver(batch)


class DropsWhenAway(Right):
    async def deliver(self, batch: Sequence[Alert]) -> None:
        if not self.place.away:
            await super().deliver(batch)


class ShowsSecret(Right):
    async def deliver(self, batch: Sequence[Alert]) -> None:
        if self.place.away:
            raise Retry(f"refused with {self.token}")
        await super().deliver(batch)


class LogsSecret(Right):
    async def deliver(self, batch: Sequence[Alert]) -> None:
        logging.getLogger("tiercel.right").warning("using %s", self.token)
        await super().deliver(batch)


class Hangs(Right):
    async def deliver(self, batch: Sequence[Alert]) -> None:
        if self.place.away:
            await asyncio.sleep(100)
        await super().deliver(batch)


class ForgetsWhenInterrupted(Right):
    async def deliver(self, batch: Sequence[Alert]) -> None:
        left = self.progress.left(batch)
        self.progress.accept(left)
        await asyncio.sleep(0.03)
        self.place.records += [self.formatter.format(alert) for alert in left]
        self.progress.finish()


class LeavesTaskWhenInterrupted(Right):
    async def deliver(self, batch: Sequence[Alert]) -> None:
        await asyncio.shield(asyncio.create_task(super().deliver(batch)))
        await asyncio.shield(asyncio.create_task(asyncio.sleep(0.05)))


class Blocks(Right):
    async def deliver(self, batch: Sequence[Alert]) -> None:
        time.sleep(0.3)  # noqa: ASYNC251  the mistake
        await super().deliver(batch)


class ForgetsWhenReopened(Right):
    async def reopen(self) -> None:
        self.place.records.pop()


class Shares(Right):
    instances: ClassVar[list[Right]] = []

    async def open(self) -> None:
        self.instances.append(self)

    async def deliver(self, batch: Sequence[Alert]) -> None:
        if not self.instances:
            raise Permanent("closed")
        await super().deliver(batch)

    async def close(self) -> None:
        self.instances.clear()


class CountsDown(Right):
    def counters(self) -> Mapping[str, int]:
        return {"room": 1000 - self.sent}


class CountsLate(Right):
    def counters(self) -> Mapping[str, int]:
        return {"sent": self.sent} if self.sent else {}


CAUGHT: list[tuple[str, type[Right], str]] = [
    ("declares", WithoutVersion, "written for plugin API 2.0"),
    ("declares", SecretShown, "option token: seems to be a secret"),
    ("declares", Undescribed, "option more: has no description"),
    ("declares", FormatUnmarked, "option format: names a formatter"),
    ("builds_purely", OpensEarly, "from_config: is not pure"),
    ("closes_always", ClosesOnce, "Bad file descriptor"),
    ("releases", LeavesOpen, "3 descriptors of 3 lives stay open"),
    ("releases", LeavesThread, "threads go on: Thread-"),
    ("releases", LeavesTask, "3 tasks of 3 lives go on"),
    ("delivers_in_order", Loses, "300 of 600 alerts did not arrive"),
    ("delivers_in_order", Doubles, "3 alerts arrived more than once"),
    ("delivers_in_order", Reverses, "another order"),
    ("delivers_in_order", MindsTheEmpty, "raised IndexError"),
    ("takes_strange_alerts", SplitsLines, "records without an id"),
    ("takes_strange_alerts", BreaksOnSurrogates, "raised UnicodeEncodeError"),
    ("takes_strange_alerts", RefusesAll, "ordinary alerts were refused because of others"),
    ("tries_again", RaisesOther, "raised ConnectionRefusedError"),
    ("tries_again", DropsWhenAway, "accepted alerts while the other end was away"),
    ("tries_again", ShowsSecret, "a secret is in a reason or in the log"),
    ("tries_again", LogsSecret, "a secret is in a reason or in the log"),
    ("tries_again", Hangs, "deliver: has not ended in 1 s"),
    ("survives_interruption", ForgetsWhenInterrupted, "alerts did not arrive"),
    ("survives_interruption", LeavesTaskWhenInterrupted, "left tasks behind"),
    ("leaves_the_loop_alone", Blocks, "the loop stood still for 0.3"),
    ("reopens", ForgetsWhenReopened, "3 of 30 alerts did not arrive"),
    ("shares_nothing", Shares, "did not arrive"),
    ("counts", CountsDown, "room fell from 1000 to 990"),
    ("counts", CountsLate, "its names change"),
]


def test_every_check_can_fail() -> None:
    assert {check for check, _, _ in CAUGHT} == set(CHECKS)


@pytest.mark.parametrize("check", CHECKS)
def test_who_is_right_passes(check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place()
    monkeypatch.setattr(Right, "place", place, raising=False)
    run(check, Right, place.destination())


@pytest.mark.parametrize(("check", "output", "message"), CAUGHT, ids=[f"{check}-{cls.__name__}" for check, cls, _ in CAUGHT])
def test_mistakes_are_caught(check: str, output: type[Right], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place()
    monkeypatch.setattr(Right, "place", place, raising=False)
    with pytest.raises((AssertionError, OSError), match=message):
        run(check, output, place.destination())


def test_a_destination_that_cannot_go_away() -> None:
    with pytest.raises(unittest.SkipTest):
        run("tries_again", Right, Destination(config={}, received=list))
