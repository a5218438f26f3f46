"""Codes of problems of rule files."""

from __future__ import annotations

import re
from pathlib import Path

from tiercel.ruleset.codes import DESCRIPTIONS


def test_every_code_in_use_is_described(repository: Path) -> None:
    texts = [path.read_text() for path in (repository / "core/tiercel").rglob("*.py") if path.name != "codes.py"]
    used = {code for text in texts for code in re.findall(r'"(LOAD_[A-Z_]+)["\\{]', text)}
    used.discard("LOAD_UNUSED_")
    assert len(used) > 15
    assert used <= set(DESCRIPTIONS)
