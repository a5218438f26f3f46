"""Whatever a rule file or a condition says, the answer is a result or an error with a place: never another exception, and soon."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.unit.lang.catalogue import CATALOGUE
from tiercel.errors import RuleError
from tiercel.lang.parser import ParseError, parse
from tiercel.ruleset.loader import load

pytestmark = pytest.mark.soak

SECONDS = float(os.environ.get("TIERCEL_SOAK_SECONDS", "600"))
SLOW = 5.0
"""Seconds that one example may take, on a busy machine."""
ROOT = Path(__file__).resolve().parent.parent.parent

WORDS = (
    "and", "or", "not", "(", ")", "((", "))", "in", "=", "!=", "==", "<", ">=", "startswith", "endswith", "contains", "icontains", "glob",
    "regex", "pmatch", "exists", "intersects", "oneof", "allof", "anyof", "bcontains", "val(", "tolower(", "len(", "basename(", ",", '"',
    "'", "\\", "proc.name", "fd.name", "fd.sip", "fd.snet", "fd.sport", "evt.type", "evt.rawres", "evt.arg.flags", "proc.aname[2]",
    "proc.aname[", "]", "user.uid", "1", "-1", "0x10", "99999999999999999999", "10.0.0.0/8", "::1", "/etc/shadow", "*", "[a", "a.*(", "é",
    "\0", "\n", "\t", " ", "macro_of_mine", "always_true", "open", "connect", "%proc.name", "never_true",
)  # fmt: skip
conditions = st.one_of(
    st.text(max_size=60), st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join), st.lists(st.sampled_from(WORDS)).map("".join)
)
KEYS = (
    "rule",
    "macro",
    "list",
    "condition",
    "items",
    "output",
    "desc",
    "priority",
    "source",
    "enabled",
    "tags",
    "append",
    "override",
    "exceptions",
)
values = st.recursive(
    st.one_of(
        conditions, st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(("NOTICE", "syscall", "proc.name=%proc.name"))
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)),
    max_leaves=12,
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """The built-in rules with pieces cut out, doubled or put in."""
    text = (ROOT / "rules" / "tiercel_rules" / "tiercel.yaml").read_text()
    at = draw(st.integers(0, len(text) - 400))
    text = text[: draw(st.integers(0, 200))] + text[at : at + 3000]
    for _ in range(draw(st.integers(1, 4))):
        one, two = sorted(draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
        piece = draw(
            st.one_of(
                st.just(""),
                st.just(text[one : min(two, one + 200)] * 2),
                conditions,
                st.sampled_from((":", "- ", "&a ", "*a", "|", ">", "{", "!!x ")),
            )
        )
        text = text[:one] + piece + text[min(two, one + 40) :]
    return text


@st.composite
def documents(draw: st.DrawFn) -> str:
    """YAML of the right form with anything in it."""
    import yaml

    items = draw(st.lists(st.dictionaries(st.sampled_from(KEYS), values, max_size=7), max_size=5))
    return yaml.safe_dump(items, allow_unicode=draw(st.booleans()))


def for_seconds(seconds: float, strategy: st.SearchStrategy[Any], check: Callable[[Any], bool]) -> tuple[int, int]:
    """Runs a check on examples until the time is up: how many there were, and how many were accepted."""
    counts = [0, 0]
    end = time.monotonic() + seconds

    def one(example: Any) -> None:
        started = time.monotonic()
        counts[1] += check(example)
        counts[0] += 1
        assert time.monotonic() - started < SLOW, example

    while time.monotonic() < end:
        number = random.SystemRandom().randrange(1 << 32)
        print(f"seed {number}")
        seed(number)(
            settings(max_examples=300, deadline=None, database=None, suppress_health_check=list(HealthCheck))(given(strategy)(one))
        )()
    return counts[0], counts[1]


def parsed(text: str) -> bool:
    try:
        parse(text)
    except ParseError as error:
        assert str(error)
        return False
    return True


def loads(text: str) -> bool:
    try:
        load(
            [("fuzz.yaml", text)],
            catalogue=CATALOGUE,
            sources=frozenset({"syscall"}),
            event_types={"syscall": frozenset({"open", "connect"})},
        )
    except RuleError as error:
        assert error.diagnostics
        return False
    return True


@pytest.mark.parametrize(
    ("name", "strategy", "check"),
    [("conditions", conditions, parsed), ("rule files", documents(), loads), ("mutated rule files", mutated(), loads)],
    ids=["conditions", "documents", "mutated"],
)
def test_fuzz(name: str, strategy: st.SearchStrategy[Any], check: Callable[[Any], bool]) -> None:
    examples, good = for_seconds(SECONDS / 3, strategy, check)
    print(f"fuzz: {name}: {examples} examples, {good} accepted")


@pytest.mark.parametrize("target", ["conditions", "rulefiles"])
def test_coverage_guided(target: str, tmp_path: Path, shared: Path) -> None:
    """atheris starts from Falco's own cases; script/soak installs it."""
    (tmp_path / "corpus").mkdir()
    lines = (shared / "vectors" / f"{target}.jsonl").read_text().splitlines()
    texts = [text for line in lines for text in [*json.loads(line).get("files", ()), json.loads(line).get("condition")] if text]
    for number, text in enumerate(texts):
        (tmp_path / "corpus" / str(number)).write_text(text)
    options = [f"-max_total_time={int(SECONDS / 2)}", f"-timeout={int(SLOW)}", "-rss_limit_mb=2048", "corpus"]
    program = [sys.executable, str(ROOT / "tests" / "soak" / "fuzz_language.py"), target, *options]
    run = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-4000:]
    done = next(line for line in reversed(run.stderr.splitlines()) if line.startswith("Done"))
    print(f"fuzz: {target}, coverage-guided: {done}")
