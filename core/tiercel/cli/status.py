"""``tiercel status``: what the running sensor says of itself."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click

from tiercel.cli.counters import COUNTERS, MAX_BYTES, ask, is_running, parsed
from tiercel.cli.session import PATH, json_option
from tiercel.cli.show import print_json, print_table
from tiercel.errors import UserError

__all__ = ["command"]

NOT_RUNNING: Final = 1
SHOWN_RULES: Final = 10
ENDPOINT: Final = "http://127.0.0.1:7765"
"""That of a sensor whose configuration says nothing else."""
TRIES: Final = 3
PAUSE: Final = 0.1
"""Seconds between two looks at a file that is no JSON."""
SILENT: Final = 30.0
"""Seconds after which a sensor that has not touched its file counts as stuck; it does so every two."""
UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


@click.command("status", short_help="Say whether a sensor runs, and what it counts.")
@click.option("--counters", type=PATH, metavar="FILE", help=f"Where a sensor writes its counters [{COUNTERS}].")
@click.option("--url", metavar="URL", help=f"Ask a sensor's endpoint instead, {ENDPOINT} for example; one without root has no file.")
@json_option
def command(*, counters: Path | None, url: str | None, as_json: bool) -> int:
    """Prints whether a sensor runs, with which generation, and the counters of source, rules, outputs and spool.

    The exit code is 0 if it runs and is ready, and 1 if not.
    """
    if url is not None and counters is not None:
        raise UserError("--url and --counters: one of the two is enough; leave the other out")
    if url is not None:
        values: dict[str, Any] | None = ask(url)
        running = True
    else:
        values = _read(counters or COUNTERS)
        running = values is not None and is_running(values)
    ready = running and values is not None and all(values.get("ready", {}).values())
    if as_json:
        print_json({"running": running, **(values or {})})
    elif values is None or not running:
        print("not running" if values is None else f"not running; the last one began {_when(values.get('started', 0))}")
        print(f"(a sensor without root says what it does at its endpoint: tiercel status --url {ENDPOINT})")
    else:
        try:
            _print(values)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            msg = f"{url or counters or COUNTERS}: counters of another version ({values.get('version')}); restart the sensor"
            raise UserError(msg) from error
    return 0 if ready else NOT_RUNNING


def _read(path: Path) -> dict[str, Any] | None:
    """The counters in a file; None if there is none, or it is empty: then no sensor has begun to watch.

    Raises:
        tiercel.UserError: the file cannot be read, or holds something else.
    """
    tries = 0
    while True:
        tries += 1
        try:
            with path.open("rb") as file:
                data, written = file.read(MAX_BYTES), os.fstat(file.fileno()).st_mtime
            values = parsed(data, path) if data else None
        except FileNotFoundError:
            return None
        except OSError as error:
            msg = f"{path}: cannot be read: {error.strerror}"
            raise UserError(msg) from error
        except UserError:
            if tries == TRIES:
                raise
            time.sleep(PAUSE)  # it may just be written
        else:
            if values is not None and time.time() - written > SILENT and isinstance(values.get("ready"), dict):
                values["ready"]["loop"] = False
            return values


def _print(values: Mapping[str, Any]) -> None:
    lacking = [part for part, there in values["ready"].items() if not there]
    print(f"tiercel {values['version']}: {'not ready: ' + ', '.join(lacking) if lacking else 'running'}, pid {values['pid']}")
    print(f"since       {_when(values['started'])}; restarts {values['restarts']}")
    print(f"generation  {values['generation']}: {len(values['rules'])} rules, source {values['source']} ({values['event_source']})")
    print(f"endpoint    {values['endpoint']['address'] or 'none'}")
    print(f"alerts      {values['alerts']}, of {values['events']} events judged in Python")
    if spool := values.get("spool"):
        print(f"spool       {_size(spool['bytes'])} on disk, {spool['unsaved']} in memory only, {spool['evicted']} evicted")
    print()
    _sources(values)
    _outputs(values["outputs"])
    _rules(values["rules"])
    for line in _attention(values):
        print("! " + "".join(each if each.isprintable() else "?" for each in line))  # messages of plugins are among them


def _sources(values: Mapping[str, Any]) -> None:
    rows = []
    for kind, counters in sorted(values["types"].items()):
        cells = [str(counters.get(name, 0)) for name in ("seen", "passed", "lost")]
        if any(cell != "0" for cell in cells):
            rows.append((values["source"], kind, *cells))
    if rows:
        print_table(("SOURCE", "TYPE", "SEEN", "PASSED", "LOST"), rows)
        print()


def _outputs(outputs: Mapping[str, Mapping[str, Any]]) -> None:
    rows = []
    for name, counters in outputs.items():
        cells = [str(counters.get(each, 0)) for each in ("sent", "retries", "dead", "behind")]
        state = "quarantined" if counters.get("quarantined") else "ok" if counters.get("opened", True) else "not open"
        rows.append((name, state, *cells, f"{counters.get('lag_seconds', 0):.1f} s"))
    print_table(("OUTPUT", "STATE", "SENT", "RETRIES", "DEAD", "BEHIND", "LAG"), rows)


def _rules(rules: Mapping[str, Mapping[str, int]]) -> None:
    matched = sorted(((counters["matches"], name) for name, counters in rules.items() if counters["matches"]), reverse=True)
    if matched:
        print()
        print_table(("MATCHES", "RULE"), [(str(number), name) for number, name in matched[:SHOWN_RULES]])
        if len(matched) > SHOWN_RULES:
            print(f"and {len(matched) - SHOWN_RULES} more rules")


def _attention(values: Mapping[str, Any]) -> Iterator[str]:
    """What somebody should look at, each on a line."""
    lost = {kind: counters["lost"] for kind, counters in values["types"].items() if counters.get("lost")}
    if lost:
        yield f"{sum(lost.values())} events lost: {', '.join(f'{kind} {number}' for kind, number in sorted(lost.items()))}"
    if problem := values["endpoint"]["problem"]:
        yield f"endpoint: {problem}"
    if problem := values.get("spool", {}).get("problem"):
        yield f"the spool's disk takes nothing: {problem}"
    if supply := values.get("supply"):
        name = f"source {values['source']}"
        if not supply["opened"]:
            yield f"{name}: not open; it failed {supply['failures']} times, and is tried again"
        elif supply["failures"]:
            yield f"{name}: failed {supply['failures']} times, was opened anew {supply['restarts']} times; the log says why"
    for name, counters in values.get("enrichers", {}).items():
        if counters["quarantined"]:
            skipped = counters["skipped"]
            yield f"enricher {name}: left alone after {counters['failures']} failures; {skipped} alerts went on without it"
    for name, counters in values["outputs"].items():
        if counters["evicted"]:
            yield f"output {name}: {counters['evicted']} alerts were removed before it had them"
        if counters["dead"]:
            yield f"output {name}: refused {counters['dead']} alerts; see `tiercel spool dead-letters`"
    for name, failure in values["fields"].items():
        if failure["quarantined"]:
            readers = ", ".join(failure["rules"])
            yield f"field {name.partition(':')[2]} of {failure['owner']} is not called: {failure['error']}; read by: {readers}"
    if (reloads := values.get("reloads")) and (error := reloads["error"]):
        yield f"the last reload failed, generation {values['generation']} stays in force: {error}"


def _when(started: float) -> str:
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(started))} ({_duration(time.time() - started)} ago)"


def _duration(seconds: float) -> str:
    """The two largest units of a time."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for size, unit in UNITS:
        if left >= size or (parts and len(parts) < 2) or size == 1:
            parts.append(f"{left // size} {unit}")
            left %= size
    return " ".join(parts[:2])


def _size(number: int) -> str:
    size = float(number)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
