"""Plugins that hang, raise, or return what they may not, in a running sensor: each is named, the others go on, and the stop completes."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.thirdparty.conftest import Installation, Plugin
from tests.thirdparty.test_pipeline import Running

TROUBLE = '''
import asyncio
import itertools
import threading
import time
from pathlib import Path

from tiercel import Decoder, Enricher, Field, FieldType, Output, RawBatch, Source, Stability, hookimpl

COMMON = {"summary": "Trouble.", "api_version": "1.0", "stability": Stability.EXPERIMENTAL}
OPTIONS = {
    "type": "object",
    "properties": {
        "where": {"type": "string", "default": "", "description": "What goes wrong."},
        "marks": {"type": "string", "default": "", "description": "Directory for marks: trouble once, not again."},
    },
    "additionalProperties": False,
}


def hang():
    time.sleep(3600)


class Base:
    config_schema = OPTIONS

    def __init__(self, config):
        self.where, self.marks = config["where"], config["marks"]

    @classmethod
    def from_config(cls, config, context):
        if config["where"] == "from_config":
            hang()
        if config["where"] == "from_config returns nothing":
            return None
        return cls(config)

    def first(self):
        """Whether this did not go wrong before."""
        try:
            Path(self.marks, self.where.replace(" ", "-")).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


class Slow(Base, Output):
    name, (summary, api_version, stability) = "slow", COMMON.values()

    async def open(self):
        if self.where == "open":
            await asyncio.sleep(3600)
        if self.where == "open blocks":
            hang()

    async def deliver(self, batch):
        if self.where == "deliver blocks":
            hang()
        if self.where == "deliver returns False":
            return False
        if self.where == "deliver raises":
            raise KeyError("bug")

    async def close(self):
        if self.where == "close":
            while True:
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    continue
        if self.where == "close blocks":
            hang()


class Helper(Base, Enricher):
    name, (summary, api_version, stability) = "helper", COMMON.values()

    async def open(self):
        if self.where == "open":
            await asyncio.sleep(3600)
        if self.where == "task":
            self.task = asyncio.create_task(self.refresh())

    async def refresh(self):
        await asyncio.sleep(0.5)
        hang()

    async def amend(self, alert):
        if self.where == "amend":
            await asyncio.sleep(3600)
        if self.where == "amend breaks":
            alert.fields = None

    async def close(self):
        if self.where == "close":
            hang()


numbers = itertools.count()


class Ticks(Base, Source):
    name, (summary, api_version, stability) = "ticks", COMMON.values()
    event_source = "ticks"
    origin = "ticks"

    def open(self, plan):
        self.stopped = threading.Event()
        if self.where == "open" and self.first():
            raise OSError("not yet")
        if self.where == "open always":
            raise OSError("no such queue")
        if self.where == "open hangs":
            hang()

    def read(self, timeout):
        if self.stopped.wait(0.05):
            return None
        number = next(numbers)
        if number == 10 and self.where == "read":
            raise OSError("connection reset")
        if number == 10 and self.where == "read hangs":
            hang()
        record = b"bad" if number == 10 and self.where == "decode" else b"%d" % number
        return RawBatch("ticks", [record], position=number, acknowledge=self.acknowledge)

    def acknowledge(self):
        if self.where == "acknowledge":
            raise OSError("the queue is gone")
        if self.where == "acknowledge hangs":
            hang()

    def stop(self):
        self.stopped.set()

    def close(self):
        if self.where == "close":
            hang()


class Tick:
    source, type, views, pending, wants_verdict = "ticks", "tick", 1, False, False

    def select(self, view):
        pass


class TickDecoder(Decoder):
    name, (summary, api_version, stability) = "ticks", COMMON.values()
    event_source = "ticks"

    def open(self, plan, refresh):
        pass

    def decode(self, batch):
        for record in batch.records:
            tick = Tick()
            tick.value = tick.number = tick.position = int(record)
            tick.time = time.time_ns()
            yield tick


@hookimpl
def tiercel_register_sources():
    return [Ticks]


@hookimpl
def tiercel_register_decoders():
    return [TickDecoder]


@hookimpl
def tiercel_register_enrichers():
    return [Helper]


@hookimpl
def tiercel_register_outputs():
    return [Slow]


@hookimpl
def tiercel_register_fields():
    return [Field(name="tick.value", type=FieldType.UINT64, description="Its number.", path=("value",), sources=frozenset({"ticks"}))]
'''
RULE = """\
- rule: Tick
  desc: Every one.
  condition: tick.value >= 0
  output: Tick (value=%tick.value)
  priority: NOTICE
  source: ticks
"""


class Troubled(Running):
    """A sensor with a plugin that goes wrong; what the good output, stdout, has is in its log."""

    def __init__(self, installation: Installation, folder: Path, **config: Any) -> None:
        (folder / "rules.yaml").write_text(RULE)
        whole = {
            "rules_files": [str(folder / "rules.yaml")], "sources": {"ticks": {}}, "outputs": {"stdout": {"format": "json"}},
            "endpoint": {"enabled": False}, **config,
        }  # fmt: skip
        (folder / "tiercel.yaml").write_text(json.dumps(whole))
        super().__init__(installation, folder)

    def alerts(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]

    def values(self) -> list[int]:
        """The numbers of the events that made alerts."""
        return [each["output_fields"]["tick.value"] for each in self.alerts() if each["rule"] == "Tick"]

    def reported(self) -> list[str]:
        """Internal alerts."""
        return [each["output"].split(": ", 1)[1] for each in self.alerts() if each["source"] == "internal"]

    def stopped(self, seconds: float) -> str:
        began = time.monotonic()
        text = self.stop()
        assert time.monotonic() - began < seconds, text
        assert self.process.returncode == 0, text
        return "\n".join(line for line in text.splitlines() if not line.startswith("{"))


Start = Callable[..., Troubled]


@pytest.fixture
def start(installation: Installation, plugin: Plugin, folder: Path) -> Iterator[Start]:
    installation.install(plugin("trouble", TROUBLE))
    started: list[Troubled] = []

    def start(**config: Any) -> Troubled:
        started.append(made := Troubled(installation, folder, **config))
        return made

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


def test_outputs_and_enrichers_that_hang(start: Start) -> None:
    troubles = ("from_config", "open", "open blocks", "deliver blocks", "close", "close blocks", "deliver returns False", "deliver raises")
    outputs = {f"slow/{trouble.replace(' ', '-').lower()}": {"where": trouble} for trouble in (*troubles, "from_config returns nothing")}
    enrichers = {
        f"helper/{trouble.replace(' ', '-')}": {"where": trouble} for trouble in ("open", "amend", "amend breaks", "close", "task")
    }
    running = start(outputs={"stdout": {"format": "json"}, **outputs}, enrichers=enrichers)
    running.wait_for(lambda: len(running.values()) > 100, seconds=60)
    assert running.values() == list(range(len(running.values())))
    for words in (
        "output slow/from_config: not opened (output slow/from_config: from_config of tiercel-trouble 1.0 failed: nothing within 10 s",
        "from_config of tiercel-trouble 1.0 failed: returned NoneType, expected a tiercel.Output",
        "output slow/open: not opened (nothing within 10 s)",
        "output slow/open-blocks: not opened (blocked the asyncio loop for 5 s",
        "output slow/deliver-blocks of tiercel-trouble 1.0 blocked the asyncio loop for 5 s",
        "output slow/deliver-returns-false: returned bool, expected None",
        "output slow/deliver-raises: KeyError: 'bug'",
        "enricher helper/open of tiercel-trouble 1.0 cannot be opened (nothing within 10 s)",
        "a task of a plugin, Helper.refresh, is ended: it blocked the asyncio loop for 5 s",
        "enricher helper/amend: nothing within 1 s; alerts go on without it",
        "enricher helper/amend-breaks: left NoneType, expected a dict as fields; alerts go on without it",
    ):
        running.said(words, 60)
    running.wait_for(lambda: len(running.reported()) == 5)  # of one rule at once; more are counted, and told later
    assert all("plugin quarantined: " in each for each in running.reported())
    text = running.stopped(40)
    assert "output slow/close: not closed: nothing within 5 s" in text
    assert "output slow/close-blocks: not closed: blocked the asyncio loop for 5 s" in text
    assert "enricher helper/close: not closed: blocked the asyncio loop for 5 s" in text


@pytest.mark.parametrize(
    ("where", "missing", "words"),
    [
        ("read", {10}, "source ticks of tiercel-trouble 1.0 failed: OSError: connection reset"),
        ("decode", {10}, "the rest of a batch is given up: ValueError: invalid literal for int()"),
        ("open", set(), "source ticks of tiercel-trouble 1.0 failed: OSError: not yet"),
    ],
)
def test_a_source_that_fails(start: Start, folder: Path, where: str, missing: set[int], words: str) -> None:
    running = start(sources={"ticks": {"where": where, "marks": str(folder / "out")}})
    running.wait_for(lambda: len(running.values()) > 20)
    values = running.values()
    assert values == [number for number in range(max(values) + 1) if number not in missing]
    assert words in running.text()
    if where != "decode":
        quarantined, restored = running.reported()
        assert "plugin quarantined: source ticks of tiercel-trouble 1.0 failed" in quarantined
        assert "plugin restored: source ticks of tiercel-trouble 1.0 is open again" in restored
    running.stopped(10)


def test_a_source_that_cannot_be_opened_is_tried_again_and_the_sensor_is_not_ready(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    running = start(sources={"ticks": {"where": "open always"}}, endpoint={"port": port})
    running.wait_for(lambda: len(running.reported()) >= 2)
    assert "source ticks of tiercel-trouble 1.0 failed: OSError: no such queue" in running.reported()[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
        assert answer.status == 200
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5)
    assert caught.value.code == 503
    parts = json.loads(caught.value.read())
    assert (parts["outputs"], parts["source"]) == (True, False)
    caught.value.close()
    running.stopped(10)


def test_a_stop_while_a_source_hangs_in_open(start: Start) -> None:
    running = start(sources={"ticks": {"where": "open hangs"}})
    time.sleep(3)
    assert "source ticks: open has not ended; it is left behind" in running.stopped(20)


def test_a_source_that_hangs_does_not_hold_up_the_stop(start: Start) -> None:
    running = start(sources={"ticks": {"where": "read hangs"}})
    running.wait_for(lambda: len(running.values()) == 10)
    time.sleep(0.5)  # until it reads again
    assert "source ticks: has not ended" in running.stopped(30)


@pytest.mark.parametrize("where", ["acknowledge", "acknowledge hangs"])
def test_acknowledgements_that_go_wrong(start: Start, where: str) -> None:
    running = start(sources={"ticks": {"where": where}})
    running.wait_for(lambda: len(running.values()) > 50)
    assert running.values() == list(range(len(running.values())))
    text = running.stopped(20)
    assert ("an acknowledgement failed: OSError: the queue is gone" in text) == (where == "acknowledge")


def test_a_source_that_does_not_close(start: Start) -> None:
    running = start(sources={"ticks": {"where": "close"}})
    running.wait_for(running.values)
    assert "source ticks: not closed: nothing within 5 s" in running.stopped(20)


def test_a_source_that_cannot_be_built_is_one_clear_error(start: Start) -> None:
    running = start(sources={"ticks": {"where": "from_config"}})
    assert running.process.wait(40) == 2
    lines = running.text().splitlines()
    assert lines[-1].endswith("source ticks: from_config of tiercel-trouble 1.0 failed: nothing within 10 s")
    assert "Traceback" not in running.text()
