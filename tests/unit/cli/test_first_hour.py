"""The first commands of an author, on the field of the documentation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.unit.cli.conftest import Outcome
from tests.unit.test_docs import WRITING, of_page

RULE = """\
- rule: My rule
  desc: Programs far down.
  condition: evt.type = open and demo.exe_depth > 6
  output: far down (depth=%demo.exe_depth)
  priority: NOTICE
  source: lab
"""


def test_a_field_without_a_package(run: Callable[..., Outcome], tmp_path: Path) -> None:
    """The documented field reads proc.exepath; here, the lab's executable stands in for it."""
    (_, code), *_ = of_page(WRITING, "python")
    file = tmp_path / "depth.py"
    file.write_text(code.replace("proc.exepath", "lab.exe"))
    file.chmod(0o644)
    (tmp_path / "rules.yaml").write_text(RULE)
    (tmp_path / "tiercel.yaml").write_text("plugins: {paths: [depth.py]}\nsources: {lab: {}}\nrules_files: [rules.yaml]\n")
    config = ("-c", str(tmp_path / "tiercel.yaml"))

    done = run("plugins", "info", "depth", "--json", *config)
    assert done.code == 0, done.err
    info = json.loads(done.out)
    assert (info["state"], info["path"], info["hooks"]) == ("loaded", str(file), ["tiercel_register_fields"])
    assert [each["name"] for each in info["fields"]] == ["demo.exe_depth"]
    done = run("fields", "demo.exe_depth", *config)
    assert "Directories above the executable." in done.out
    done = run("rules", "explain", "My rule", *config)
    assert "demo.exe_depth" in done.out, done.err

    file.chmod(0o666)
    info = json.loads(run("plugins", "info", "depth", "--json", *config).out)
    assert info["state"] == "refused"
    assert "others may write there" in info["reason"]
