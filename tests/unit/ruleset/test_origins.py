from __future__ import annotations

from tests.unit.lang.catalogue import CATALOGUE
from tiercel.lang.hints import checks
from tiercel.ruleset.loader import load
from tiercel.ruleset.model import Rule

TEXT = """\
- list: shells
  items: [sh, bash]
- macro: shell
  condition: proc.name in (shells, zsh)
- macro: opened
  condition: >
    evt.type = open and
    (shell or not proc.exe startswith "/tmp")
- rule: R
  desc: d
  condition: opened and shell and proc.name != 'root'
  output: o
  priority: INFO
"""


def rule(*, origins: bool) -> Rule:
    types = {"syscall": frozenset({"open"})}
    (only,) = load([("r.yaml", TEXT)], catalogue=CATALOGUE, sources=frozenset({"syscall"}), event_types=types, origins=origins).rules
    return only


def test_each_check_has_its_place_and_its_text_as_written() -> None:
    found = rule(origins=True)
    assert [(each.line, each.column, each.text) for each in found.origins] == [
        (7, 5, "evt.type = open"),
        (4, 14, "proc.name in (shells, zsh)"),
        (8, 19, "proc.exe startswith /tmp"),
        (4, 14, "proc.name in (shells, zsh)"),
        (11, 35, "proc.name != root"),
    ]
    assert {each.file for each in found.origins} == {"r.yaml"}
    assert len(found.origins) == len(list(checks(found.condition)))


def test_they_are_not_kept_unless_they_are_asked_for() -> None:
    assert rule(origins=False).origins == ()
