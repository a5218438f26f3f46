"""Loading of rule files written in tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pytest

from tests.unit.lang.catalogue import CATALOGUE
from tiercel.errors import Diagnostic, RuleError
from tiercel.lang.canonical import canonical
from tiercel.ruleset.loader import load
from tiercel.ruleset.model import Rule, RuleSet

__all__ = ["TYPES", "by_name", "codes", "condition_of", "error", "errors", "loaded", "rule"]

TYPES: Final = frozenset({"open", "openat", "execve", "close"})
SOURCES: Final = frozenset({"syscall", "k8s_audit"})


def loaded(*texts: str, plugins: Mapping[str, str] | None = None) -> RuleSet:
    """The rules of files ``1.yaml``, ``2.yaml``, ..."""
    files = [(f"{number}.yaml", text) for number, text in enumerate(texts, 1)]
    return load(files, catalogue=CATALOGUE, sources=SOURCES, event_types={"syscall": TYPES}, plugins=plugins)


def errors(*texts: str, plugins: Mapping[str, str] | None = None) -> list[Diagnostic]:
    """The errors of files that do not load."""
    with pytest.raises(RuleError) as caught:
        loaded(*texts, plugins=plugins)
    return [each for each in caught.value.diagnostics if not each.warning]


def error(*texts: str, plugins: Mapping[str, str] | None = None) -> str:
    """Code, place and message of the only error."""
    (only,) = errors(*texts, plugins=plugins)
    return f"{only.code} {only}"


def codes(*texts: str) -> list[str]:
    """Codes of the warnings."""
    return [each.code for each in loaded(*texts).warnings]


def rule(name: str = "R", condition: str | None = "evt.type = open", **more: Any) -> str:
    """A rule; ``skip_if_unknown_filter`` stands for the key with dashes, and keys that are None are left out."""
    keys = {"rule": name, "desc": "d", "condition": condition, "output": "o", "priority": "INFO", **more}
    lines = [
        f"{key.replace('skip_if_unknown_filter', 'skip-if-unknown-filter')}: {value}" for key, value in keys.items() if value is not None
    ]
    return "- " + "\n  ".join(lines) + "\n"


def by_name(rules: RuleSet) -> dict[str, Rule]:
    """The rules by name."""
    return {each.name: each for each in rules.rules}


def condition_of(*texts: str, name: str = "R") -> str:
    """Canonical condition of a rule."""
    return canonical(by_name(loaded(*texts))[name].condition)
