"""Every example that comes with the package is a configuration, or rules, that load."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.unit.packaging.conftest import Check

EXAMPLES = sorted((ROOT / "core/tiercel/packaging/examples").iterdir())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_load(path: Path, check: Check, tmp_path: Path) -> None:
    config = tmp_path / "tiercel.yaml"
    text = path.read_text()
    document = yaml.safe_load(text)
    if isinstance(document, list):
        config.write_text("priority: debug\n")
        (tmp_path / "rules.d").mkdir()
        (tmp_path / "rules.d/local.yaml").write_text(text)
    else:
        # Rule files of a host are left out; everything else is as it is.
        for named in document.get("rules_files", ()):
            text = text.replace(f"  - {named}\n" if named.startswith("/") else "", "")
        config.write_text(text)
    said = check(config)
    assert "rules would run" in said
    assert not isinstance(document, list) or "rules.d/local.yaml: Ok\n" in said


def test_a_mistake_would_be_found(check: Check, tmp_path: Path) -> None:
    text = next(path for path in EXAMPLES if path.name == "siem.yaml").read_text()
    (tmp_path / "tiercel.yaml").write_text(text.replace("roll_up", "rollup"))
    with pytest.raises(AssertionError, match="rollup"):
        check(tmp_path / "tiercel.yaml")
