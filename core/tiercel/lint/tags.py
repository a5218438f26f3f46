"""Tags that look like MITRE ATT&CK and are not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tiercel.errors import Diagnostic
from tiercel.lint.attack import problem_of
from tiercel.lint.context import Context, finding

__all__ = ["ATTACK_TAG", "attack_tag"]

ATTACK_TAG: Final = "LINT_ATTACK_TAG"


def attack_tag(context: Context) -> Iterator[Diagnostic]:
    """Tags ``mitre_...``, ``T1059``, ``T1059.004`` and ``TA0002`` that mean no tactic or technique."""
    for rule in context.rules.rules:
        for tag in rule.tags:
            problem = problem_of(tag)
            if problem:
                yield finding(rule, ATTACK_TAG, f'tag "{tag}": {problem}')
