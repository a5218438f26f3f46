"""Exceptions that exclude nothing, and those that only look at what an attacker chooses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from tiercel.engine.nnf import normal_form
from tiercel.engine.tree import Tree, every
from tiercel.errors import Diagnostic
from tiercel.lang.ast import Check, FieldRef, ListValue, Node, Or, reads
from tiercel.lang.canonical import canonical
from tiercel.lang.hints import checks
from tiercel.lang.shapes import shape_of
from tiercel.lint.context import Context, base_condition, excluded, finding
from tiercel.ruleset.model import Rule

__all__ = ["CHOSEN", "CHOSEN_NAME", "DEAD_EXCEPTION", "chosen_name", "dead_exception"]

DEAD_EXCEPTION: Final = "LINT_DEAD_EXCEPTION"
CHOSEN_NAME: Final = "LINT_CHOSEN_NAME"
CHOSEN: Final = frozenset(
    {
        "proc.name", "proc.exe", "proc.args", "proc.cmdargs", "proc.cmdline", "proc.exeline", "proc.env", "proc.pname", "proc.pexe",
        "proc.pcmdline", "proc.aname", "proc.aexe", "proc.acmdline", "proc.aenv", "proc.sname", "proc.sid.exe", "proc.vpgid.name",
        "proc.vpgid.exe", "proc.pgid.name", "proc.pgid.exe", "thread.name",
    }
)  # fmt: skip
"""Fields whose values a process gives itself or its children: its name (prctl(2), PR_SET_NAME), arguments and environment (execve(2))."""
SHOWN: Final = 4
MAX_PIECES: Final = 500
"""Values of an exception that are looked at one by one."""


def dead_exception(context: Context) -> Iterator[Diagnostic]:
    """Exceptions, or values of them, that take nothing from what the rule would match without them."""
    for rule in context.rules.rules:
        if context.never(rule) is not None:
            continue
        refuter = context.refuter(rule.source)
        before: list[Tree[Check]] = [normal_form(base_condition(rule))]
        for exception, node in excluded(rule):
            reason = refuter.refute(every([before[0], normal_form(node)]))
            if reason is not None:
                yield finding(rule, DEAD_EXCEPTION, f"it excludes nothing: {reason}", of=exception)
            elif len(before) > 1 and refuter.refute(every([*before, normal_form(node)])) is not None:
                yield finding(rule, DEAD_EXCEPTION, "it excludes nothing that the exceptions before it do not", of=exception)
            else:
                pieces = [
                    canonical(piece) for piece in _pieces(context, rule, node) if refuter.refute(every([before[0], normal_form(piece)]))
                ]
                if pieces:
                    more = f" and {len(pieces) - SHOWN} more" if len(pieces) > SHOWN else ""
                    message = f"the rule never matches where {'; '.join(pieces[:SHOWN])}{more}: these values exclude nothing"
                    yield finding(rule, DEAD_EXCEPTION, message, of=exception)
            before.append(normal_form(node, negated=True))


def _pieces(context: Context, rule: Rule, node: Node) -> list[Node]:
    """The alternatives of an exception; one for each value of a list."""
    found: list[Node] = []
    for part in node.operands if isinstance(node, Or) else (node,):
        if isinstance(part, Check) and isinstance(part.right, ListValue) and _means_any(context, rule, part):
            found += [replace(part, right=ListValue((item,))) for item in part.right.items]
        else:
            found.append(part)
    return found[:MAX_PIECES] if len(found) > 1 else []


def _means_any(context: Context, rule: Rule, check: Check) -> bool:
    """Whether a check holds if it does with one of its values; of a list, every element has to be among them."""
    return check.modifier in ("", "anyof") and not shape_of(check.left, context.groups(rule.source).lookup).is_list


def chosen_name(context: Context) -> Iterator[Diagnostic]:
    """Exceptions that only look at names, arguments and environment of processes: a process can call itself what it likes."""
    for rule in context.rules.rules:
        for exception, node in excluded(rule):
            names = {ref.name for check in checks(node) if isinstance(check, Check) for ref in _refs(check)}
            if names and names <= CHOSEN:
                what = ", ".join(sorted(names))
                message = f"whoever starts a process chooses {what}; add a check on what it does not choose, such as proc.exepath"
                yield finding(rule, CHOSEN_NAME, message, of=exception)


def _refs(check: Check) -> Iterator[FieldRef]:
    yield from reads(check.left)
    yield from reads(check.right)
