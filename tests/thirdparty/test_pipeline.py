"""A stranger's source, decoder, fields, rules, enricher and output, installed by pip, in a running sensor without privilege."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.thirdparty.conftest import USER, Installation
from tests.thirdparty.servers import Directory, Queue

RULE = """\
- rule: Kitchen buys
  desc: The kitchen buys, once we know who works there.
  condition: evt.type = order and crew.department = kitchen
  output: Kitchen buys (user=%shop.user department=%crew.department raw=%evt.raw)
  priority: NOTICE
  source: shop
"""
CONFIG = """\
rules_files: ["bundle:shop", {rules}]
rule_matching: all
sources:
  shop/berlin: {{socket: {folder}/queue}}
enrichers:
  crew: {{socket: {folder}/directory}}
outputs:
  ledger: {{file: ledger}}
grants:
  ledger: {{path: {folder}/out/ledger, mode: append}}
"""


def order(user: str, **more: Any) -> dict[str, Any]:
    return {"type": "order", "user": user, "item": "lamp", "amount": 1, "price": 100, **more}


class Running:
    """``tiercel run`` as a user without privilege."""

    def __init__(self, installation: Installation, folder: Path, *options: str | Path) -> None:
        self.installation, self.folder = installation, folder
        self.out = folder / "out"
        self.log = folder / "log"
        self.out.mkdir(exist_ok=True)
        user: dict[str, Any] = {}
        if os.geteuid() == 0:
            entry = pwd.getpwnam(USER)
            os.chown(self.out, entry.pw_uid, entry.pw_gid)
            user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [installation.python, "-P", "-m", "tiercel", "run", "--stats", "-c", folder / "tiercel.yaml", *options],
                env={**installation.environment, "HOME": str(self.out), "XDG_STATE_HOME": str(self.out)},
                cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, **user,
            )  # fmt: skip

    def text(self) -> str:
        return self.log.read_text()

    def wait_for(self, condition: Callable[[], Any], seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < end, self.text()
            time.sleep(0.02)

    def said(self, text: str, seconds: float = 20) -> None:
        """Until it has said this."""
        self.wait_for(lambda: text in self.text(), seconds)

    def ledger(self) -> list[dict[str, Any]]:
        """The alerts that the ledger has, its chains checked: each sensor begins one."""
        path = self.out / "ledger"
        found, chain = [], hashlib.sha256()
        for line in path.read_bytes().splitlines() if path.exists() else ():
            before, text = line.split(b" ", 1)
            if before == hashlib.sha256().hexdigest().encode():
                chain = hashlib.sha256()
            assert before == chain.hexdigest().encode()
            chain.update(text)
            name, alert = text.split(b" ", 1)
            found.append({"id": name, **json.loads(alert)})
        return found

    def expect(self, rule: str, count: int = 1, seconds: float = 20) -> list[dict[str, Any]]:
        """The fields of the alerts of a rule, when there are so many."""
        self.wait_for(lambda: sum(each["rule"] == rule for each in self.ledger()) >= count, seconds)
        return [each["output_fields"] for each in self.ledger() if each["rule"] == rule]

    def stop(self) -> str:
        """Ends it in an orderly way; what it said."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        return self.text()


@pytest.fixture
def queue(folder: Path) -> Iterator[Queue]:
    with Queue(folder / "queue") as made:
        yield made


@pytest.fixture
def directory(folder: Path) -> Iterator[Directory]:
    with Directory(folder / "directory", carla={"department": "kitchen", "manager": "dora"}) as made:
        yield made


@pytest.fixture
def run(
    installation: Installation, shop: Path, crew: Path, folder: Path, queue: Queue, directory: Directory
) -> Iterator[Callable[..., Running]]:
    for wheel in (shop, crew):
        installation.install(wheel)
    (folder / "rules.yaml").write_text(RULE)
    (folder / "tiercel.yaml").write_text(CONFIG.format(folder=folder, rules=folder / "rules.yaml"))
    started: list[Running] = []

    def start(*options: str | Path) -> Running:
        made = Running(installation, folder, *options)
        started.append(made)
        made.said("watching")
        return made

    start.installation = installation  # type: ignore[attr-defined]
    yield start
    for made in started:
        if made.process.poll() is None:
            made.process.kill()
            made.process.wait()


def test_an_order_becomes_an_alert_that_is_delivered_and_acknowledged(run: Callable[..., Running], queue: Queue) -> None:
    queue.put(order("mallory", amount=20, price=6000), "no JSON", order("alice", amount=20, price=6000), order("bob", type="refund"))
    running = run()
    [large] = running.expect("Large order")
    assert (large["shop.user"], large["shop.total"]) == ("mallory", 120_000)
    [refund] = running.expect("Refund to staff")
    assert refund["shop.user"] == "bob"
    queue.wait_acknowledged(4)
    text = running.stop()
    assert running.process.returncode == 0, text
    assert "malformed 1" in text
    assert [each["rule"] for each in running.ledger()] == ["Large order", "Refund to staff"]


def test_the_enricher_fills_its_field_and_amends_alerts(run: Callable[..., Running], queue: Queue) -> None:
    running = run()
    queue.put(order("carla", price=1))
    queue.wait_acknowledged(1)
    assert running.ledger() == [], "who carla is was not known yet"
    time.sleep(0.5)
    queue.put(order("carla", price=2))
    [found] = running.expect("Kitchen buys")
    assert (found["crew.department"], found["crew.manager"]) == ("kitchen", "dora")
    assert json.loads(found["evt.raw"])["price"] == 2
    running.stop()


def test_what_a_killed_sensor_did_not_acknowledge_comes_again_with_the_same_id(run: Callable[..., Running], queue: Queue) -> None:
    running = run()
    queue.put(order("mallory", price=200_000))
    running.expect("Large order")
    queue.wait_acknowledged(1)
    running.process.kill()
    running.process.wait()
    queue.put(order("mallory", price=300_000))
    queue.acknowledged = 0  # as if the acknowledgement had been lost
    running = run()
    assert [each["shop.total"] for each in running.expect("Large order", 3)] == [200_000, 200_000, 300_000]
    first, again, other = running.ledger()
    assert first["id"] == again["id"] != other["id"]


def test_its_rules_are_tested_listed_and_explained(run: Callable[..., Running], installation: Installation) -> None:
    listed = {each["name"]: each for each in json.loads(installation.tiercel("plugins", "--json").stdout)}
    assert listed["shop"]["provides"] == [
        "decoder shop", "field evt.raw", "field evt.type", "field shop.amount", "field shop.item", "field shop.price", "field shop.total",
        "field shop.user", "rules shop", "source shop",
    ]  # fmt: skip
    assert listed["crew"]["provides"] == ["enricher crew", "field crew.department", "output ledger"]
    assert "Large order" in installation.tiercel("rules", "list").stdout
    info = json.loads(installation.tiercel("plugins", "info", "shop", "--json").stdout)
    assert (info["distribution"], info["version"], info["requires"]) == ("tiercel-shop", "2.1", ["tiercel<2,>=0.1"])
    assert [(each["kind"], each["event_source"], each["stability"]) for each in info["components"]] == [
        ("source", "shop", "beta"), ("decoder", "shop", "beta"),
    ]  # fmt: skip
    [bundle] = info["rules"]
    assert bundle["bundle"] == "shop"
    assert [Path(file).name for file in bundle["files"]] == ["shop.yaml"]


def test_a_plugin_that_requires_another_is_refused_without_it(installation: Installation, crew: Path) -> None:
    installation.install(crew)
    found = installation.listed("crew")
    assert (found["state"], found["path"]) == ("refused", "")
    assert found["reason"] == "requires tiercel-shop<3,>=2, which is not installed"


ONE_OFF = """\
from tiercel import FieldType, field, hookimpl


@field("mine.dozens", type=FieldType.UINT64, inputs=("shop.amount",), description="Full dozens.")
def dozens(amount):
    return amount // 12


@hookimpl
def tiercel_register_fields():
    return [dozens]
"""


def test_a_plugin_file_of_the_configuration(run: Callable[..., Running], folder: Path, queue: Queue) -> None:
    file = folder / "mine.py"
    file.write_text(ONE_OFF)
    file.chmod(0o644)
    (folder / "rules.yaml").write_text(
        RULE.replace("crew.department = kitchen", "mine.dozens >= 2").replace("%crew.department", "%mine.dozens")
    )
    with (folder / "tiercel.yaml").open("a") as config:
        config.write("plugins: {paths: [mine.py]}\n")
    running = run()
    queue.put(order("carla", amount=23), order("carla", amount=24))
    [found] = running.expect("Kitchen buys")
    assert found["mine.dozens"] == 2
    running.stop()
    file.chmod(0o666)
    assert running.stop()
    again = Running(run.installation, folder)  # type: ignore[attr-defined]
    assert again.process.wait(30) == 2
    line = again.text().splitlines()[-1]
    assert f"plugins.paths[0]: plugin refused: {file}: others may write there" in line
