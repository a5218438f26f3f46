"""Reloads of a running sensor whose parts are a stranger's: rules, outputs, what is wrong, and what only a restart changes."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.thirdparty.servers import Queue
from tests.thirdparty.test_pipeline import CONFIG, RULE, Running, directory, order, queue, run

__all__ = ["directory", "queue", "run"]  # fixtures

Start = Callable[..., Running]
BUYS = RULE.replace("evt.type = order and crew.department = kitchen", "shop.user = carla")


def reload(running: Running, *options: str) -> subprocess.CompletedProcess[str]:
    state = f"state_dir={running.out}/tiercel"
    done: subprocess.CompletedProcess[str] = running.installation.tiercel("reload", "-o", state, *options)
    return done


def replace(path: Path, text: str) -> None:
    """As editors do it."""
    new = path.with_name(path.name + ".swp")
    new.write_text(text)
    new.rename(path)


def failures(running: Running) -> list[str]:
    return [each["output_fields"]["reload.errors"][0] for each in running.ledger() if each["rule"] == "Tiercel internal: reload failed"]


def test_a_rule_file_that_changes_is_reloaded(run: Start, folder: Path, queue: Queue) -> None:
    running = run()
    queue.put(order("carla"))
    queue.wait_acknowledged(1)
    replace(folder / "rules.yaml", BUYS)
    running.said("generation 2 is in force")
    assert "(a file changed): rules: 1 changed (Kitchen buys)" in running.text()
    queue.put(order("carla"))
    running.expect("Kitchen buys")
    [told] = running.expect("Tiercel internal: reloaded")
    assert (told["reload.generation"], told["reload.changes"]) == (2, ["rules: 1 changed (Kitchen buys)"])
    time.sleep(1)
    assert "generation 3" not in running.text()
    assert "malformed 0" in running.stop()


def test_what_is_wrong_leaves_the_old_rules_in_force_and_is_told_everywhere(run: Start, folder: Path, queue: Queue) -> None:
    (folder / "rules.yaml").write_text(BUYS)
    running = run()
    replace(folder / "rules.yaml", BUYS.replace("shop.user", "shop.usr"))
    running.said("reload failed, generation 1 stays in force (a file changed)")
    running.expect("Tiercel internal: reload failed")
    where = f"{folder}/rules.yaml:3:"
    assert failures(running)[0].startswith(where)
    assert where in running.text()
    done = reload(running)
    assert done.returncode == 2
    assert done.stderr.startswith(f"reload failed, generation 1 stays in force\n  {where}")
    assert not json.loads(reload(running, "--json").stdout)["ok"]
    queue.put(order("carla"))
    running.expect("Kitchen buys")
    replace(folder / "rules.yaml", BUYS)
    running.said("nothing to reload, generation 1 stays in force (a file changed)")
    done = reload(running)
    assert (done.returncode, done.stdout) == (0, "nothing to reload, generation 1 stays in force\n")


def test_outputs_come_and_go_and_the_others_stay_open(run: Start, folder: Path, queue: Queue) -> None:
    (folder / "rules.yaml").write_text(BUYS)
    running = run()
    queue.put(order("carla"))
    running.expect("Kitchen buys")
    config = CONFIG.format(folder=folder, rules=folder / "rules.yaml")
    more = config.replace("grants:\n", f"  ledger/more: {{file: more}}\ngrants:\n  more: {{path: {folder}/out/more, mode: append}}\n")
    replace(folder / "tiercel.yaml", more)
    running.said("generation 2 is in force")
    assert "outputs: 1 added (ledger/more); configuration: grants" in running.text()
    queue.put(order("carla"))
    running.expect("Kitchen buys", 2)
    running.wait_for(lambda: b"Kitchen buys" in (running.out / "more").read_bytes())
    replace(folder / "tiercel.yaml", config)
    running.said("generation 3 is in force")
    assert "outputs: 1 removed (ledger/more)" in running.text()
    queue.put(order("carla"))
    running.expect("Kitchen buys", 3)
    running.stop()
    assert (running.out / "more").read_bytes().count(b'"rule":"Kitchen buys"') == 1
    begun = [line for line in (running.out / "ledger").read_bytes().splitlines() if line.startswith(b"e3b0c442")]
    assert len(begun) == 1, "the ledger was open all the time: its chain has one beginning"


def test_an_output_that_cannot_be_opened_changes_nothing(run: Start, folder: Path, queue: Queue) -> None:
    running = run()
    (folder / "rules.yaml").write_text(BUYS)
    config = CONFIG.format(folder=folder, rules=folder / "rules.yaml")
    bad = config.replace("grants:\n", "  ledger/more: {file: more}\ngrants:\n  more: {path: /nowhere/more, mode: append}\n")
    replace(folder / "tiercel.yaml", bad)
    running.said("reload failed, generation 1 stays in force")
    assert "/nowhere/more: not opened" in running.text()
    queue.put(order("carla"))
    queue.wait_acknowledged(1)
    time.sleep(0.5)
    assert not [each for each in running.ledger() if each["rule"] == "Kitchen buys"], "nor are the rules others"
    replace(folder / "tiercel.yaml", config)
    running.said("generation 2 is in force")
    queue.put(order("carla"))
    running.expect("Kitchen buys")


def test_what_only_a_restart_changes_is_said_and_the_rest_is_done(run: Start, folder: Path, queue: Queue) -> None:
    running = run("-o", "watch_files=false")
    (folder / "rules.yaml").write_text(BUYS)
    with (folder / "tiercel.yaml").open("a") as config:
        config.write(f"state_dir: {folder}/out/other\nplugins: {{deny: [syslog]}}\nspool: {{fsync: never}}\n")
    time.sleep(1)
    assert "reload" not in running.text()
    done = reload(running)
    assert done.returncode == 0
    first, *lines = done.stdout.splitlines()
    assert first.startswith("reloaded, generation 2 is in force after ")
    assert lines == ["  rules: 1 changed (Kitchen buys)"] + [
        f"  {key}: changed, which needs a restart; until then it stays as it was" for key in ("plugins", "state_dir", "spool")
    ]
    queue.put(order("carla"))
    running.expect("Kitchen buys")
    assert not (folder / "out" / "other").exists()


def test_nobody_there(installation: Any, tmp_path: Path) -> None:
    done = installation.tiercel("reload", "-o", f"state_dir={tmp_path}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"tiercel: {tmp_path}/control: no running sensor listens there (No such file or directory)\n"


def test_a_source_that_cannot_take_other_rules_is_named(run: Start, folder: Path, queue: Queue) -> None:
    package = run.installation.plugins / "tiercel_shop" / "source.py"  # type: ignore[attr-defined]
    package.write_text(package.read_text().replace("return Replan(", "return None and Replan("))
    running = run()
    replace(folder / "rules.yaml", BUYS)
    running.said("source shop/berlin: cannot take other rules while it runs; restart the sensor for them")
    assert "reload failed, generation 1 stays in force" in running.text()
    queue.put(order("carla", price=200_000))
    running.expect("Large order")
