from __future__ import annotations

import pytest

from tests.unit.lang.catalogue import CATALOGUE
from tiercel.lang.hints import hints
from tiercel.lang.parser import parse
from tiercel.lang.patterns import check_regex, is_simple


@pytest.mark.parametrize(
    ("text", "code", "position"),
    [
        ("proc.name = proc.exe", "LOAD_COMPILE_CONDITION", 12),
        ("proc.name in (a, proc.exe)", "LOAD_COMPILE_CONDITION", 17),
        ("proc.name regex ^bash$", "LOAD_COMPILE_CONDITION", 16),
        ("proc.name in shells", "LOAD_COMPILE_CONDITION", 13),
        ("ka.verb in (x, <NA>)", "LOAD_UNSAFE_NA_CHECK", 15),
        ("a and evt.dir = <", "LOAD_DEPRECATED_ITEM", 6),
        ("proc.name = 'evt.arg.flags'", "LOAD_COMPILE_CONDITION", 12),
        ("proc.name in (a, 'proc.aname[2]')", "LOAD_COMPILE_CONDITION", 17),
        ("proc.name = 'toupper(proc.exe)'", "LOAD_COMPILE_CONDITION", 12),
        ("tolower(evt.dir) = x", "LOAD_DEPRECATED_ITEM", 8),
        ("proc.name = val(evt.dir)", "LOAD_DEPRECATED_ITEM", 16),
        ("evt.latency.s exists", "LOAD_DEPRECATED_ITEM", 0),
    ],
)
def test_hints(text: str, code: str, position: int) -> None:
    (hint,) = hints(parse(text), CATALOGUE, "syscall")
    assert (hint.code, hint.position) == (code, position)


@pytest.mark.parametrize(
    "text",
    [
        "proc.name = 'toupper(x'", "proc.name = toupper", "proc.name = evt.arg", "proc.name = proc.name.x",
        "proc.name = bash", "ka.verb contains <NA>", "proc.name regex a|b", "proc.name = val(proc.exe)", "not (a or b)",
    ],
)  # fmt: skip
def test_nothing_to_say(text: str) -> None:
    assert hints(parse(text), CATALOGUE, "syscall") == []


@pytest.mark.parametrize("pattern", ["a", "^a$", ".*a", "a.+", ".?a.?", "", "^", "a-b_c/d"])
def test_simple_patterns(pattern: str) -> None:
    assert is_simple(pattern)


@pytest.mark.parametrize("pattern", ["a.b", "[a]", "a{2}", "a|b", r"a\.b", "(a)", "a*", "a.*b"])
def test_patterns_with_a_point(pattern: str) -> None:
    assert not is_simple(pattern)


def test_patterns_are_re2_in_posix_syntax() -> None:
    check_regex("(a|b)*[[:alpha:]]+\udcff")
    bomb = "|".join(f".{{{number}}}" for number in range(900, 935))
    for pattern in (bomb, r"\d", "(?=a)", "a{2000}", "*", "(?i)a"):
        with pytest.raises(ValueError, match="invalid regex pattern"):
            check_regex(pattern)


def test_blanks_around_a_field_hide_nothing() -> None:
    (found,) = hints(parse("proc.name = 'proc.exe '"), CATALOGUE, "syscall")
    assert "'proc.exe ' may be a valid field misused as a const string value" in found.message
