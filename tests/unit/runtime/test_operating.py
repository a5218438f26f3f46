"""What docs/operating.md tells Prometheus to do."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import lacking
from tiercel.runtime.metrics import METRICS


@pytest.fixture
def blocks(repository: Path) -> list[str]:
    """The YAML of the page that is not ours: its fences say yml."""
    return re.findall(r"^```yml\n(.*?)^```$", (repository / "docs/operating.md").read_text(), re.MULTILINE | re.DOTALL)


def block(blocks: list[str], key: str) -> str:
    [found] = [each for each in blocks if key in yaml.safe_load(each)]
    return found


@pytest.mark.parametrize(("key", "check"), [("scrape_configs", "config"), ("groups", "rules")])
def test_promtool_accepts_the_examples(blocks: list[str], key: str, check: str, tmp_path: Path) -> None:
    program = shutil.which("promtool")
    if program is None:
        lacking("promtool is not installed (Debian's package prometheus)")
    (tmp_path / "example.yml").write_text(block(blocks, key))
    done = subprocess.run([program, "check", check, tmp_path / "example.yml"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_read_metrics_that_there_are(blocks: list[str]) -> None:
    groups: list[dict[str, Any]] = yaml.safe_load(block(blocks, "groups"))["groups"]
    expressions = [rule["expr"] for group in groups for rule in group["rules"]]
    named = {name for expression in expressions for name in re.findall(r"\btiercel_\w+", expression)}
    assert len(named) > 5
    assert named <= {metric.name for metric in METRICS}
