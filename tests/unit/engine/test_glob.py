"""Glob patterns as fnmatch(3) has them, by bytes."""

from __future__ import annotations

import pytest

from tiercel.engine.matchers import cached_glob, glob, path_prefix


@pytest.mark.parametrize(
    ("pattern", "text", "match"),
    [
        ("/etc/*", "/etc/a/b", True),
        ("*", "", True),
        ("*", ".a/\n", True),
        ("?", "/", True),
        ("?", "é", False),  # two bytes
        ("??", "é", True),
        ("a[!b]c", "axc", True),
        ("a[!b]c", "abc", False),
        ("a[^b]c", "abc", False),
        ("[]a]", "]", True),
        ("[a-c]", "b", True),
        ("[a-c]", "-", False),
        ("[a-]", "-", True),
        ("[[:digit:]]x", "7x", True),
        ("[[:digit:]]x", "ax", False),
        ("[z-a]", "b", False),
        ("[!z-a]", "b", True),
        (r"\*", "*", True),
        (r"\*", "a", False),
        (r"[\]]", "]", True),
        ("a\\", "a", False),
        ("a\\", "a\\", False),
        ("[", "[", True),
        ("[a", "[a", True),
        ("a.b", "axb", False),
        ("(a|b)+$^{2}", "(a|b)+$^{2}", True),
        ("a*b*c", "a/b/x/c", True),
        ("\udcff*", "\udcffx", True),
        ("\udcc3?", "é", True),
        ("ABC", "abc", False),
    ],
)
def test_glob(pattern: str, text: str, match: bool) -> None:
    assert glob(pattern)(text) is match


@pytest.mark.parametrize(
    ("pattern", "text", "match"),
    [("A*[X-Z]", "abY", True), ("É", "é", False), ("[[:upper:]]", "a", True), ("K", "\u212a", False)],
)
def test_glob_that_ignores_the_case_of_ascii_letters(pattern: str, text: str, match: bool) -> None:
    assert glob(pattern, ignore_case=True)(text) is match


@pytest.mark.parametrize(
    ("paths", "text", "match"),
    [
        (("/etc",), "/etc/passwd", True),
        (("/etc",), "/etcx", False),
        (("etc//passwd/",), "/etc/passwd", True),
        (("/a/*/c", "/a/b"), "/a/b", True),
        (("/a/b/d", "/a/*/c"), "/a/b/c", True),
        (("/a/*/c", "/a/?/d"), "/a/b/d", True),
        (("/a/*",), "/a", False),
        (("",), "anything", True),
        ((), "/etc", False),
        (("/" + "a/" * 500,), "/" + "a/" * 500, True),
    ],
)
def test_path_prefix(paths: tuple[str, ...], text: str, match: bool) -> None:
    assert path_prefix(paths)(text) is match


def test_a_pattern_of_an_event_that_is_too_large_matches_nothing() -> None:
    assert cached_glob("*a", ignore_case=False)("ba")
    assert not cached_glob("?" * 200_000, ignore_case=False)("?" * 200_000)
