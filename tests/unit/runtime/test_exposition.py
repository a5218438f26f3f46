from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import lacking
from tiercel.runtime.exposition import Metric, expose

SAMPLE = re.compile(r'(?P<name>[a-z_]+)(?:\{(?P<labels>(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (?P<value>\S+)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"')


def checked(page: bytes) -> None:
    """Has promtool read a page."""
    program = shutil.which("promtool")
    if program is None:
        lacking("promtool is not installed (Debian's package prometheus)")
    done = subprocess.run([program, "check", "metrics"], input=page, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def read(page: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The samples of a page: (name, labels) -> value."""
    found = {}
    for line in page.decode().split("\n")[:-1]:
        if line.startswith("#"):
            continue
        match = SAMPLE.fullmatch(line)
        assert match is not None, line
        labels: Mapping[str, str] = {
            name: re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], value) for name, value in LABEL.findall(match["labels"] or "")
        }
        found[match["name"], tuple(labels.items())] = float(match["value"])
    return found


HITS = Metric("lab_hits_total", "counter", "Hits.", ("where", "what"))
HEAT = Metric("lab_heat_celsius", "gauge", "Heat: a \\ and a\nnew line.")


def test_a_page() -> None:
    page = expose([HEAT, HITS], [("lab_hits_total", ("a", "b"), 3), ("lab_heat_celsius", (), 0.5), ("lab_hits_total", ("a", "c"), True)])
    assert page.decode() == (
        "# HELP lab_heat_celsius Heat: a \\\\ and a\\nnew line.\n"
        "# TYPE lab_heat_celsius gauge\n"
        "lab_heat_celsius 0.5\n"
        "# HELP lab_hits_total Hits.\n"
        "# TYPE lab_hits_total counter\n"
        'lab_hits_total{where="a",what="b"} 3\n'
        'lab_hits_total{where="a",what="c"} 1\n'
    )
    checked(page)


def test_what_has_no_samples_has_no_head() -> None:
    assert expose([HEAT, HITS], []) == b""


def test_values_that_are_no_numbers() -> None:
    values = [float("inf"), float("-inf"), float("nan"), 1e300, 5e-324, 2**63]
    page = expose([HITS], [("lab_hits_total", (str(number), ""), value) for number, value in enumerate(values)])
    assert [line.rpartition(" ")[2] for line in page.decode().splitlines()[2:]] == [
        "+Inf",
        "-Inf",
        "NaN",
        "1e+300",
        "5e-324",
        "9223372036854775808",
    ]
    checked(page)


def test_a_sample_of_nothing() -> None:
    with pytest.raises(KeyError, match="lab_hits_total"):
        expose([HEAT], [("lab_hits_total", ("a", "b"), 1)])
    with pytest.raises(ValueError, match="zip"):
        expose([HITS], [("lab_hits_total", ("a",), 1)])


@given(st.lists(st.text(), unique=True), st.floats(allow_nan=False) | st.integers(-(2**63), 2**64))
def test_any_label_is_read_back(labels: list[str], value: float) -> None:
    found = read(expose([HITS], [("lab_hits_total", (label, "x"), value) for label in labels]))
    assert found == {("lab_hits_total", (("where", label), ("what", "x"))): float(value) for label in labels}


ODD = st.text(st.characters() | st.sampled_from('\\"\n\r\0\x1f\x7f\x85\u2028{},= #'))


@pytest.mark.slow
@settings(max_examples=20)
@given(st.lists(ODD, unique=True, max_size=200))
def test_promtool_reads_any_label(labels: list[str]) -> None:
    checked(expose([HITS], [("lab_hits_total", (label, "x"), 1) for label in labels]))


def test_bytes_that_are_no_utf8() -> None:
    page = expose([HITS], [("lab_hits_total", (b"\xff".decode(errors="surrogateescape"), "x"), 1)])
    assert 'where="\N{REPLACEMENT CHARACTER}"' in page.decode()
    checked(page)
