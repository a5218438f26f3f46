"""Kind ``strings``: escapes of quoted text."""

from __future__ import annotations

from collections.abc import Iterator

from tiercel.lang.strings import escape, unescape
from tiercel.testing.conformance.cases import Case, differ, text
from tiercel.testing.conformance.setting import Setting

__all__ = ["string"]


def string(case: Case, _setting: Setting) -> Iterator[str]:
    """Problems of one case of ``strings``."""
    source = text(case, case["in"])
    problem, got = "", ""
    try:
        if case["op"] == "unescape":
            got = unescape(source[1:-1], source[0])
        else:
            got = escape(source)
            got = unescape(got[1:-1], got[0]) if case["op"] == "escape_then_unescape" and got[:1] == '"' else got
    except ValueError as error:
        problem = str(error.args[0])
    if bool(problem) is not case.get("error", False):
        yield f"expected {'an error' if case.get('error') else 'no error'}, got {problem or repr(got)}"
    if "out" in case:
        yield from differ("the text", text(case, case["out"]), got)
