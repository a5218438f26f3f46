"""One look-up for the places of all rules never loses a rule, and tells apart what it should."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.catalogue import CATALOGUE, FIELDS, FakeEvent, values_of
from tests.oracle.reference import holds
from tiercel.engine.codegen import Generator
from tiercel.engine.cover import CoverMask, cover_mask
from tiercel.engine.groups import Groups
from tiercel.engine.nnf import normal_form
from tiercel.fields import PENDING
from tiercel.lang.check import check_condition
from tiercel.lang.parser import parse


def cover(*conditions: str) -> CoverMask | None:
    generator = Generator(Groups(CATALOGUE, "syscall"))
    trees = [normal_form(check_condition(parse(each), CATALOGUE, "syscall", event_types=None)) for each in conditions]
    return cover_mask(trees, generator.groups.field, generator.value)


def mask(path: Any, *conditions: str) -> int:
    made = cover(*conditions)
    assert made is not None
    return made(FakeEvent("open", {"fd.name": path}), (1 << len(conditions)) - 1)


@pytest.mark.parametrize(
    ("condition", "inside", "outside"),
    [
        ("fd.name = /etc/shadow", ["/etc/shadow"], ["/etc/shadow/x", "/etc", ""]),
        ("fd.name in (/a, /b/c)", ["/a", "/b/c"], ["/b", "/b/c/d"]),
        ("fd.name startswith /etc/", ["/etc/x", "/etc/x/y", "/etc/"], ["/etc", "/etcx", "etc/x", "/tmp/etc/"]),
        ("fd.name startswith /usr/lib/x", ["/usr/lib/xy"], ["/usr/libx", "/lib/x"]),
        ("fd.name startswith memfd:", ["memfd:x"], ["/memfd:x"]),
        ("fd.name endswith .key", ["/a.key", ".key"], ["/a.key/b"]),
        ("fd.name glob /etc/*.conf", ["/etc/a.conf", "/etc/b/a.conf"], ["/usr/a.conf"]),
        ("fd.name pmatch (/etc, /var/*/log)", ["/etc", "/etc/", "/etc/a", "/var/x/log", "//etc//a", "etc/a"], ["/etcx", "/usr/etc"]),
        ("fd.name startswith anyof (/a/, /b/)", ["/a/x", "/b/x"], ["/c/x"]),
        ("fd.name startswith /a/ and not fd.name endswith x", ["/a/y"], ["/b/y"]),
        ("fd.name = /a or fd.name startswith /b/ and proc.name = x", ["/a", "/b/c"], ["/c"]),
        ("fd.name contains x/y", ["/x/y", "x/yz"], ["/x", "/y/x"]),
        ("fd.base endswith wd", ["/a/pwd", "wd"], ["/pwd/a"]),
        ("fd.base = passwd", ["/etc/passwd", "/tmp/passwd"], ["/etc/shadow"]),
        ("fd.sip in (10.0.0.1, 10.0.0.2) and fd.name = /a", ["/a"], ["/b"]),
    ],
)  # fmt: skip
def test_literals_tell_paths_apart(condition: str, inside: list[str], outside: list[str]) -> None:
    assert [mask(path, condition) for path in inside] == [1] * len(inside)
    assert [mask(path, condition) for path in outside] == [0] * len(outside)


@pytest.mark.parametrize(
    "condition",
    [
        "not fd.name = /a", "fd.name != /a", "fd.name icontains a", "fd.name regex .*a", "fd.name startswith ''", "fd.name pmatch (/)",
        "fd.name = /a or fd.name icontains b", "fd.name = val(proc.exe)", "fd.name startswith oneof (/a, /b)", "proc.aname = x", "fd.name exists",
        "tolower(fd.name) = /a",
    ],
)  # fmt: skip
def test_conditions_without_a_cover_always_survive(condition: str) -> None:
    assert cover(condition) is None
    assert mask("/x", condition, "fd.name = /a") == 0b01


def test_only_what_is_asked_for_is_looked_up() -> None:
    made = cover("fd.name = /a", "fd.name startswith /", "fd.name contains b")
    assert made is not None
    event = FakeEvent("open", {"fd.name": "/a"})
    assert [made(event, asked) & asked for asked in (0b111, 0b001, 0b100, 0b000)] == [0b011, 0b001, 0, 0]


def test_paths_can_be_judged_by_their_bytes() -> None:
    made = cover("fd.name = /a", "fd.name endswith '\u00e9'", "fd.name exists")
    assert made is not None
    of_path = made.of_path(0b011)
    assert of_path is not None
    assert [of_path(path.decode("latin-1")) for path in (b"/a", "/\u00e9".encode(), b"/\xa9")] == [0b01, 0b10, 0]
    assert made.of_path(0b101) is None
    both = cover("fd.name = /a", "fd.sip = 10.0.0.1")
    assert both is not None
    assert both.of_path(0b11) is None


def test_many_searches_are_not_tried_one_by_one() -> None:
    many = [f"fd.name contains x{number}" for number in range(30)]
    assert mask("/x1", *many, "fd.name = /y") == (1 << 30) - 1


def test_unknown_paths_keep_everything_and_missing_ones_what_needs_none() -> None:
    conditions = ("fd.name = /a", "fd.name != /a", "fd.name = /a and evt.num = 0")
    assert mask(PENDING, *conditions) == 0b111
    assert mask(None, *conditions) == 0b010


LITERALS = ("/", "/a", "/a/", "/a/b", "/b", "a", "/a//b", "//a", "", "/a*", "/a/*/b", "b", ".x", "\\[a", "/a/b.x")
PATHS = (*LITERALS, "/a/b/c", "a/b", "/a/b/c.x", "/b/a", "/ab", "/a/x/b")


@st.composite
def conditions(draw: st.DrawFn) -> str:
    """Conditions on one path."""
    words = draw(st.lists(st.sampled_from(LITERALS), min_size=1, max_size=2))
    quoted = [f"'{word.replace(chr(92), chr(92) * 2)}'" for word in words]
    field = draw(st.sampled_from(("fd.name", "fd.base")))
    operator = draw(st.sampled_from(("=", "!=", "in", "startswith", "endswith", "contains", "glob", "pmatch", "intersects")))
    if operator in ("in", "pmatch", "intersects"):
        right = f"({', '.join(quoted)})"
    else:
        right = f"{draw(st.sampled_from(('anyof', 'oneof', 'allof')))} ({', '.join(quoted)})" if draw(st.booleans()) else quoted[0]
    check = f"{'not ' * draw(st.integers(0, 1))}{field} {operator} {right}"
    if draw(st.integers(0, 2)):
        return check
    return f"({check} {draw(st.sampled_from(('and', 'or')))} {draw(conditions())})"


@given(st.lists(conditions(), min_size=1, max_size=4), st.sampled_from(PATHS))
def test_no_rule_is_lost(texts: list[str], path: str) -> None:
    made = cover(*texts)
    got = (1 << len(texts)) - 1 if made is None else made(FakeEvent("open", {"fd.name": path}), -1)
    for number, text in enumerate(texts):
        node = check_condition(parse(text), CATALOGUE, "syscall", event_types=None)
        if holds(node, values_of("open", {"fd.name": path}), FIELDS):
            assert got >> number & 1, (text, path)
