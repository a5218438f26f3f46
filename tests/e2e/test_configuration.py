"""Rules from several places: a falco.yaml that root imports runs with all that it says, and rules of the host are found when they are written."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Sensor

pytestmark = pytest.mark.live

RULES = """\
- list: watched
  items: [nothing]
- rule: Imported
  desc: d
  condition: evt.type in (open, openat, openat2) and fd.name in (watched)
  output: "opened %fd.name"
  priority: WARNING
- rule: Unwanted
  desc: d
  condition: evt.type in (open, openat, openat2) and fd.name in (watched)
  output: "never"
  priority: WARNING
  tags: [unwanted]
"""


def test_a_falco_yaml_runs(installed: Path, folder: Path, sensor: Callable[..., Sensor]) -> None:
    (folder / "rules.d").mkdir()
    (folder / "main.yaml").write_text(RULES)
    (folder / "rules.d/local.yaml").write_text(f"- list: watched\n  items: [{folder}/secret]\n")
    (folder / "secret").write_text("x")
    (folder / "falco.yaml").write_text(f"""\
rules_files: [{folder}/main.yaml, {folder}/gone.yaml, {folder}/rules.d]
rules: [{{disable: {{tag: unwanted}}}}]
rule_matching: all
json_output: true
append_output: [{{extra_output: "by %proc.name", extra_fields: [{{team: blue}}]}}]
stdout_output: {{enabled: true}}
file_output: {{enabled: true, keep_alive: false, filename: {folder}/alerts.json}}
webserver: {{enabled: false}}
engine: {{kind: modern_ebpf}}
""")
    written = folder / "tiercel.yaml"
    done = subprocess.run(
        [installed / "tiercel", "config", "import", folder / "falco.yaml", "--output", written], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "gone.yaml" in written.read_text()) == (0, False)
    assert f"{folder}/falco.yaml:1:" in done.stderr
    running = sensor(options=("-c", str(written)))
    subprocess.run(["cat", folder / "secret"], check=True, capture_output=True)
    (alert,) = running.expect("Imported", team="blue")
    assert alert["output"].endswith(f"opened {folder}/secret by cat")
    running.stop()
    lines = [json.loads(line) for line in (folder / "alerts.json").read_text().splitlines()]
    assert [each["output"] for each in lines if each["rule"] in ("Imported", "Unwanted")] == [alert["output"]]


def test_rules_of_the_host_come_into_force_when_they_are_written(folder: Path, sensor: Callable[..., Sensor]) -> None:
    running = sensor(config="plugins: {deny: [rules]}\n")
    (running.folder / "rules.d").mkdir()
    (folder / "secret").write_text("x")
    new = running.folder / "new"
    new.write_text(RULES.replace("[nothing]", f"[{folder}/secret]"))
    new.rename(running.folder / "rules.d/own.yaml")

    def opened() -> bool:
        (folder / "secret").read_text()
        return any(alert["rule"] == "Imported" for alert in running.alerts)

    running.wait_for(opened, "an alert of the new rule")
