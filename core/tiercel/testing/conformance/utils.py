"""Kind ``utils``: intervals, names of rules in metrics, wildcards."""

from __future__ import annotations

from collections.abc import Iterator

from tiercel.config.intervals import interval_ms
from tiercel.ruleset.names import metric_name
from tiercel.ruleset.selection import matches_wildcard
from tiercel.testing.conformance.cases import Case, differ
from tiercel.testing.conformance.setting import Setting

__all__ = ["util"]


def util(case: Case, _setting: Setting) -> Iterator[str]:
    """Problems of one case."""
    got: object
    if case["op"] == "interval_ms":
        got = interval_ms(case["text"])
    elif case["op"] == "sanitize_rule_name":
        got = metric_name(case["text"])
    elif case["op"] == "wildcard":
        got = matches_wildcard(case["pattern"], case["text"])
    else:
        yield f"expected a known op, got {case['op']!r}"
        return
    yield from differ("the result", case["result"], got)
