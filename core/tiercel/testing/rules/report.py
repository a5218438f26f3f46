"""Failed tests as text for people, and all tests as JUnit XML and JSON for programs."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from tiercel.testing.rules.compare import Difference, Missing, Unexpected

if TYPE_CHECKING:
    from tiercel.testing.rules.explain import Explainer
    from tiercel.testing.rules.run import Outcome

__all__ = ["as_data", "describe", "junit", "summary"]

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold (section 2.2, production Char)."""


def describe(difference: Difference, explainer: Explainer) -> str:
    """A difference, in several lines."""
    return "\n".join(_lines(difference, explainer))


def _lines(difference: Difference, explainer: Explainer) -> Iterator[str]:
    if isinstance(difference, Missing):
        yield f'expected an alert of "{difference.expected.rule}", which did not come:'
        yield from (f"  {line}" for line in explainer.silence(difference.expected.rule))
        return
    raised = difference.raised
    where = f'alert of "{raised.alert.rule}" ({raised.alert.priority.label}) for event {raised.event}'
    if isinstance(difference, Unexpected):
        yield f"unexpected {where}:"
        yield f"  {raised.alert.message}"
        return
    yield f"{where} differs:"
    for name, expected, got in difference.parts:
        yield f"  {name}: expected -, got +"
        yield from (f"    {line.rstrip()}" for line in difflib.ndiff(expected.splitlines() or [""], got.splitlines() or [""]))


def summary(outcomes: Sequence[Outcome]) -> str:
    """``N passed, N failed``."""
    passed = sum(each.passed for each in outcomes)
    return f"{passed} passed, {len(outcomes) - passed} failed"


def as_data(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All outcomes, for JSON."""
    return {
        "passed": sum(each.passed for each in outcomes),
        "failed": sum(not each.passed for each in outcomes),
        "tests": [
            {
                "file": str(each.suite.file.path),
                "line": each.test.line,
                "name": each.test.name,
                "passed": each.passed,
                "problems": list(each.problems),
                "seconds": round(each.seconds, 6),
            }
            for each in outcomes
        ],
    }


def junit(outcomes: Sequence[Outcome]) -> bytes:
    """JUnit XML, a suite for each file."""
    root = ET.Element("testsuites", {"name": "tiercel rules test"} | _counts(outcomes))
    for path in dict.fromkeys(each.suite.file.path for each in outcomes):
        mine = [each for each in outcomes if each.suite.file.path == path]
        suite = ET.SubElement(root, "testsuite", {"name": _xml(str(path))} | _counts(mine))
        for each in mine:
            attributes = {"classname": _xml(str(path)), "name": _xml(each.test.name), "file": _xml(str(path)), "line": str(each.test.line)}
            case = ET.SubElement(suite, "testcase", attributes | {"time": f"{each.seconds:.6f}"})
            if not each.passed:
                text = _xml("\n".join(each.problems))
                ET.SubElement(case, "failure", {"message": text.splitlines()[0]}).text = text
    ET.indent(root)
    whole: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return whole + b"\n"


def _counts(outcomes: Sequence[Outcome]) -> dict[str, str]:
    return {
        "tests": str(len(outcomes)),
        "failures": str(sum(not each.passed for each in outcomes)),
        "errors": "0",
        "skipped": "0",
        "time": f"{sum(each.seconds for each in outcomes):.6f}",
    }


def _xml(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
