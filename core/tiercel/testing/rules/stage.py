"""The events of a test, and the rules planned for them: plain fields, or a capture through its own decoder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tiercel.capture import RecordedFields, events_of, opened
from tiercel.components.source import Abilities
from tiercel.engine.planner import build
from tiercel.errors import UserError
from tiercel.event import RawBatch
from tiercel.testing.rules.decoder import fact_decoder

if TYPE_CHECKING:
    from tiercel.config.files import Files
    from tiercel.engine.planner import Plan
    from tiercel.event import Event
    from tiercel.plugins import PluginHost
    from tiercel.ruleset.model import Rule
    from tiercel.testing.facts import FactEvent
    from tiercel.testing.rules.bench import Suite
    from tiercel.testing.rules.model import RuleTest

__all__ = ["Stage", "captured", "events", "stage"]


@dataclass(frozen=True, slots=True)
class Stage:
    """Events and the rules for them.

    Attributes:
        source: event source.
        plan: the rules, planned.
        events: the events; each is valid until the next one is asked for.
    """

    source: str
    plan: Plan
    events: Iterator[Event]


def events(suite: Suite, test: RuleTest) -> Iterator[FactEvent]:
    """The events that a test states, decoded."""
    decoder = fact_decoder(suite.file.source, suite.facts)
    decoder.open(suite.plan.source(suite.file.source), lambda: None)
    return decoder.decode(RawBatch(suite.file.source, test.events))


@contextlib.contextmanager
def stage(suite: Suite, test: RuleTest) -> Iterator[Stage]:
    """The rules planned for the events of a test, and the events.

    Raises:
        tiercel.UserError: its capture cannot be read, or is of another event source.
    """
    if test.capture is None:
        yield Stage(suite.file.source, suite.plan, events(suite, test))
        return
    with captured(test.capture, suite.rules, source=suite.file.source, host=suite.host, files=suite.files) as found:
        yield found


@contextlib.contextmanager
def captured(path: Path, rules: tuple[Rule, ...], *, source: str | None, host: PluginHost, files: Files) -> Iterator[Stage]:
    """The same for a capture.

    Args:
        path: the capture.
        rules: the rules that run.
        source: event source that it must be of; None for any.
        host: the plugins.
        files: how it is opened.

    Raises:
        tiercel.UserError: it cannot be read, or is of another event source.
    """
    with opened(path, open_file=files.open) as reader:
        metadata = reader.metadata
        if source not in (None, metadata.event_source):
            msg = f"{path}: a capture of source {metadata.event_source} (expected {source})"
            raise UserError(msg)
        abilities = {metadata.event_source: Abilities(event_types=metadata.types)}
        plan = build(rules, RecordedFields(host.fields(), metadata.hostname), abilities, generation=1, resolve=metadata.resolve)
        yield Stage(metadata.event_source, plan, events_of(reader, host))
