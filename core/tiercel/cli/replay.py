"""``tiercel replay``: a capture through the rules."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import orjson

from tiercel.cli.progress import Bar, bar
from tiercel.cli.session import PATH, Session, Setting, config_option, open_session, rules_option

if TYPE_CHECKING:
    from tiercel.alert import Alert
    from tiercel.capture import Reader
    from tiercel.components.output import Formatter

__all__ = ["command"]

STDOUT: Final = "stdout"
SECOND: Final = 1_000_000_000
"""Nanoseconds."""


@click.command("replay", short_help="Feed a capture to rules.")
@click.argument("capture", type=PATH, metavar="FILE")
@config_option
@rules_option
@click.option("--json", "as_json", is_flag=True, help="Print alerts as JSON.")
@click.option("--rule-matching", type=click.Choice(["first", "all"]), help="Alerts for the first rule that matches an event, or for all.")
@click.option("--real-time", is_flag=True, help="As fast as it was recorded, not as fast as it goes.")
@click.option("--speed", type=click.FloatRange(0, min_open=True), metavar="N", help="N times as fast as it was recorded.")
@click.option(
    "--from",
    "skip",
    type=click.FloatRange(0),
    default=0.0,
    metavar="SECONDS",
    help="Leave out the alerts of its first SECONDS.",
)
@click.option("--export", type=click.Choice(["ndjson"]), help="Print the events with their fields instead of alerts; no rules are read.")
@click.pass_obj
def command(
    setting: Setting, *, capture: Path, config_file: Path | None, rules: tuple[Path, ...], as_json: bool, rule_matching: str | None,
    real_time: bool, speed: float | None, skip: float, export: str | None,
) -> int:  # fmt: skip
    """Feeds a capture of `tiercel record` to the rules and prints the alerts. FILE - is standard input."""
    from tiercel.capture import opened

    if real_time and speed is not None:
        raise click.UsageError("--real-time and --speed exclude each other: --real-time is --speed 1")
    session = open_session(setting, config_file, rules)
    with opened(capture, open_file=session.files.open) as reader:
        if export:
            _export(reader, session)
        else:
            matching = rule_matching or session.config.rule_matching
            begin = reader.metadata.time + round(skip * SECOND)
            if skip:
                reader.skip_to(begin)
            _replay(reader, session, as_json=as_json, matching=matching, speed=1.0 if real_time else speed, begin=begin if skip else 0)
        _say_how_it_ended(reader)
    return 0


def _replay(reader: Reader, session: Session, *, as_json: bool, matching: str, speed: float | None, begin: int) -> None:
    from tiercel.config.rules import running
    from tiercel.runtime.replay import Replay

    replay = Replay(reader, session.host, running(session.rules(live=False), session.config), matching=matching, speed=speed, begin=begin)
    for warning in replay.warnings():
        _say(warning)
    formatter = _formatter(session, as_json=as_json)
    with _progress(reader) as (advance, shown):

        def emit(alerts: list[Alert]) -> None:
            with shown.printing():
                sys.stdout.buffer.write(b"".join(formatter.format(alert) + b"\n" for alert in alerts))
                sys.stdout.buffer.flush()

        done = replay.run(emit, advance)
    malformed = f", {done.malformed} malformed records" if done.malformed else ""
    _say(f"{done.events} events, {done.alerts} alerts{malformed}")


def _formatter(session: Session, *, as_json: bool) -> Formatter:
    """The one that standard output has in the configuration."""
    from tiercel.components.base import Host
    from tiercel.config.build import formatters

    options = [each for name, each in session.config.outputs.items() if name.partition("/")[0] == STDOUT]
    name = "json" if as_json else options[0]["format"] if options else "text"
    return formatters(session.host, privileged=Host())[name]


def _export(reader: Reader, session: Session) -> None:
    """One JSON object for each event: its fields, as alerts have them."""
    from tiercel.capture import RecordedFields, Values, events_of, printable

    catalogue, metadata = session.host.fields(), reader.metadata
    names = printable(catalogue, metadata)
    values = Values(RecordedFields(catalogue, metadata.hostname), metadata.event_source, names)
    with _progress(reader) as (advance, shown), shown.printing():
        for event in events_of(reader, session.host):
            sys.stdout.buffer.write(_json(values.as_json(event)) + b"\n")
            advance()
        sys.stdout.buffer.flush()


def _json(value: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # bytes that are no UTF-8, as surrogates
        text = {k: v.encode(errors="surrogateescape").decode(errors="replace") if isinstance(v, str) else v for k, v in value.items()}
        return orjson.dumps(text)


def _say_how_it_ended(reader: Reader) -> None:
    if not reader.finished:
        _say(f"{reader.name}: the recording was cut off; it ends without an index at byte {reader.offset}")
    lost = ", ".join(f"{name} {count}" for name, count in sorted(reader.losses().items()))
    if lost:
        _say(f"{reader.name}: events were lost while it was recorded: {lost}")


@contextlib.contextmanager
def _progress(reader: Reader) -> Iterator[tuple[Callable[[], None], Bar]]:
    """A bar, if the end of the capture is known.

    Yields:
        What to call now and then, and the bar.
    """
    size = reader.size
    if not size:
        yield (lambda: None), Bar()
        return
    with bar(reader.name) as shown:
        yield (lambda: shown(reader.offset / size)), shown


def _say(message: str) -> None:
    print(f"tiercel: {message}", file=sys.stderr)
