from __future__ import annotations

import ast
import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiercel.config.log import Log
from tiercel.runtime.logs import BURST, MAX_KINDS, MAX_LENGTH, PLAIN, REFILL, Handler, install


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Case:
    """A logger of its own with a handler, whose clock only the test moves."""

    def __init__(
        self,
        *,
        stream: io.StringIO | None = None,
        form: str = "text",
        secrets: Callable[[], Iterable[str]] = tuple,
        name: str = "tiercel.area",
    ) -> None:
        self.stream = io.StringIO() if stream is None else stream
        self.now = 0.0
        self.handler = Handler(self.stream, Log(format=form), secrets=secrets, clock=lambda: self.now)
        self.log = logging.Logger(name)  # noqa: LOG001  of this test alone
        self.log.addHandler(self.handler)

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


def test_a_terminal_gets_the_message_alone() -> None:
    case = Case(stream=Terminal())
    case.log.warning("output %s: down", "file")
    assert case.lines == ["tiercel: output file: down"]


def test_a_file_gets_time_and_level() -> None:
    case = Case()
    case.log.warning("output %s: down", "file")
    (line,) = case.lines
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning tiercel: output file: down", line)


def test_last_words_are_those_of_any_command() -> None:
    case = Case()
    case.log.error("rules.yaml:1:1: wrong", extra=PLAIN)
    assert case.lines == ["tiercel: rules.yaml:1:1: wrong"]


def test_the_journal_gets_the_severity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal"
    with path.open("w") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        log = logging.Logger("tiercel.area")  # noqa: LOG001  of this test alone
        log.addHandler(Handler(stream, Log()))
        log.error("down")
    assert path.read_text() == "<3>tiercel: down\n"


def test_json() -> None:
    case = Case(form="json", name="tiercel.output")
    case.log.error('say "%s"', "é\udcff")
    (line,) = case.lines
    entry = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry.pop("time"))
    assert entry == {"level": "error", "logger": "tiercel.output", "message": 'say "é\\udcff"'}
    line.encode()


@pytest.mark.parametrize("form", ["text", "json"])
def test_tracebacks_are_kept(form: str) -> None:
    case = Case(form=form)
    try:
        raise ValueError("bad\x1b[31m")
    except ValueError:
        case.log.exception("a bug")
    text = case.stream.getvalue()
    assert "Traceback" in text
    assert "ValueError: bad" in text
    assert "\x1b" not in text


def test_strangers_are_named() -> None:
    case = Case(stream=Terminal(), name="aiohttp.access")
    case.log.error("what")
    assert case.lines == ["tiercel: aiohttp.access: what"]


@given(st.text(), st.sampled_from(["text", "json"]))
def test_a_message_is_one_line_whatever_it_quotes(text: str, form: str) -> None:
    case = Case(form=form)
    case.log.error("%s", text)
    (line,) = case.stream.getvalue().split("\n")[:-1]
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", line)
    line.encode()


def test_a_long_message_is_cut_off() -> None:
    case = Case(stream=Terminal())
    case.log.error("x" * (MAX_LENGTH + 5))
    assert case.lines == ["tiercel: " + "x" * MAX_LENGTH + "... (5 more characters)"]


def test_secrets_that_were_read_are_hidden() -> None:
    case = Case(secrets=lambda: ["hunter22", "", "ab"])
    case.log.error("cannot log in with %s, about", "hunter22")
    assert case.lines[0].endswith("cannot log in with ***, about")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://joe:pw@host/x refused", "https://***@host/x refused"),
        ("sent Authorization: Bearer abc.def, got 401", "sent Authorization: ***, got 401"),
        ("password=abc token: def", "password=*** token: ***"),
        ("https://host/x:y@z and the word password alone", "https://host/x:y@z and the word password alone"),
    ],
)
def test_secrets_are_known_by_their_looks(text: str, shown: str) -> None:
    case = Case()
    case.log.error(text)
    assert case.lines[0].endswith(shown)


def test_what_repeats_is_held_back_and_counted() -> None:
    case = Case(stream=Terminal())
    for number in range(BURST + 3):
        case.log.error("number %d", number)
    assert len(case.lines) == BURST
    case.log.error("something else")
    assert case.lines[-1] == "tiercel: something else"
    case.now += REFILL
    case.log.error("number %d", 99)
    assert case.lines[-1] == "tiercel: number 99 (3 like it were held back)"


def test_the_last_of_what_was_held_back_is_told_in_time() -> None:
    case = Case(stream=Terminal())
    for number in range(BURST + 3):
        case.log.error("number %d", number)
    case.handler.tell()
    assert len(case.lines) == BURST
    case.now += REFILL
    case.handler.tell()
    case.handler.tell(final=True)
    assert case.lines[BURST:] == [f"tiercel: number {BURST + 2} (2 like it were held back)"]


@given(st.lists(st.one_of(st.integers(0, 2 * MAX_KINDS), st.floats(0, 50)), max_size=200))
def test_every_message_is_written_or_counted(steps: list[int | float]) -> None:
    case, sent = Case(), 0
    for step in steps:
        if isinstance(step, int):
            for _ in range(BURST + 2):
                case.log.error(f"kind {step}")  # noqa: G004  the template is what makes it another kind
                sent += 1
        else:
            case.now += step
            case.handler.tell()
    case.handler.tell(final=True)
    held_back = [int(found[1]) for line in case.lines if (found := re.search(r"\((\d+) like it were held back\)$", line))]
    assert len(case.lines) + sum(held_back) == sent


def test_a_reader_that_has_gone_and_arguments_that_do_not_fit() -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    case = Case(stream=Gone())
    case.log.error("x")
    assert case.handler.failures == 1
    case = Case()
    case.log.error("%d", "no number")
    assert (case.handler.failures, case.lines) == (1, [])


def test_threads() -> None:
    case = Case(stream=Terminal())

    def work() -> None:
        for _ in range(500):
            case.log.error("x")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    case.handler.tell(final=True)
    assert case.lines[BURST:] == [f"tiercel: x ({2000 - BURST - 1} like it were held back)"]


@pytest.fixture
def _loggers() -> Iterator[None]:
    """Whatever `install` does is undone."""
    root, ours = logging.getLogger(), logging.getLogger("tiercel")
    handlers, levels = list(root.handlers), (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.mark.usefixtures("_loggers")
def test_installing_again_replaces(capsys: pytest.CaptureFixture[str]) -> None:
    install(Log(level="debug"))
    handler = install(Log(level="error", format="json"))
    logging.getLogger("tiercel.area").warning("not this")
    logging.getLogger("tiercel.area").error("this")
    logging.getLogger("stranger").info("nor that")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "this"
    assert logging.getLogger().handlers.count(handler) == 1


def test_nothing_heavy_is_imported() -> None:
    code = "import sys, asyncio, json, tiercel; before = set(sys.modules); import tiercel.runtime.logs; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    assert [name for name in done.stdout.split() if not name.startswith("tiercel")] == []


HOT = ("core/tiercel/engine", "core/tiercel/pipeline/detect.py", "core/tiercel/event.py", "plugins/sources/tiercel_ebpf")


@pytest.mark.parametrize("place", HOT)
def test_what_runs_for_each_event_does_not_log(place: str, repository: Path) -> None:
    """Nor can it begin to: it does not import what logs."""
    path = repository / place
    files = [path] if path.is_file() else [each for each in path.glob("**/*.py") if each.name != "source.py"]  # opens, too
    assert files
    for file in files:
        if file.name == "surroundings.py":  # called once, at the start
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.partition(".")[0] for name in names} & {"logging", "warnings"}, file
