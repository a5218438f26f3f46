"""`tiercel schema`."""

from __future__ import annotations

import json
from pathlib import Path

from jsonschema import Draft7Validator, Draft202012Validator

from tests.unit.cli.conftest import Run


def test_of_the_configuration(run: Run, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("sources: {lab: }\npriority: nonsense\n")
    done = run("schema", "-c", "c.yaml")
    schema = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    Draft202012Validator.check_schema(schema)
    assert "^lab(/[A-Za-z0-9_.-]+)?$" in schema["properties"]["sources"]["patternProperties"]


def test_of_rule_files(run: Run) -> None:
    done = run("schema", "--rules")
    schema = json.loads(done.out)
    assert done.code == 0
    Draft7Validator.check_schema(schema)
    assert Draft7Validator(schema).is_valid([{"list": "a", "items": []}])
