"""Replays a capture through decoder and engine, in this process and without privilege; alerts go to a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tiercel.capture.events import decoder_of
from tiercel.capture.source import CaptureSource
from tiercel.components.source import Abilities
from tiercel.engine.engine import Engine
from tiercel.engine.planner import build
from tiercel.pipeline.acks import Acks
from tiercel.pipeline.detect import Detector

if TYPE_CHECKING:
    from tiercel.alert import Alert
    from tiercel.capture.format import Entry
    from tiercel.capture.reader import Reader
    from tiercel.plugins import PluginHost
    from tiercel.ruleset.model import Rule

__all__ = ["Replay", "Replayed"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to.

    Attributes:
        events: decoded events.
        alerts: alerts of them.
        malformed: records that the decoder could not understand.
    """

    events: int
    alerts: int
    malformed: int


class Replay:
    """Rules that are planned for a capture.

    Args:
        reader: the capture, where it is to begin.
        plugins: have the decoder and the fields.
        rules: the rules that run.
        matching: ``first`` or ``all``.
        speed: times as fast as it was recorded; None for as fast as it goes.

    Raises:
        tiercel.UserError: no plugin decodes the capture.
    """

    def __init__(self, reader: Reader, plugins: PluginHost, rules: tuple[Rule, ...], *, matching: str, speed: float | None) -> None:
        metadata = reader.metadata
        self._decoder = decoder_of(metadata, plugins, name=reader.name)
        abilities = {metadata.event_source: Abilities(event_types=metadata.types)}
        self.plan = build(rules, plugins.fields(), abilities, generation=1, resolve=metadata.resolve)
        self._engine = Engine(self.plan, matching=matching, hostname=metadata.hostname, origin=metadata.origin)  # type: ignore[arg-type]  # validated
        self._reader, self._metadata, self._rules, self._speed = reader, metadata, rules, speed

    def warnings(self) -> Iterator[str]:
        """What rules need that the capture does not have, for people."""
        metadata = self._metadata
        others = [rule for rule in self._rules if rule.source != metadata.event_source]
        if others:
            yield f"{len(others)} of {len(self._rules)} rules are for other event sources than {metadata.event_source}"
        types = {each for rule in self._rules if rule.source == metadata.event_source for each in rule.event_types or ()} - metadata.types
        if types:
            yield f"rules name event types that were not recorded: {', '.join(sorted(types))}"
        fields = self.plan.source(metadata.event_source).fields - metadata.fields
        if fields:
            yield f"rules read fields that were not recorded: {', '.join(sorted(fields))}"
        if not metadata.complete:
            yield "only events that pass the masks of the recording rules were recorded; other rules may miss events (record with --all)"

    def run(self, emit: Callable[[list[Alert]], None], progress: Callable[[], None]) -> Replayed:
        """Replays it.

        Args:
            emit: takes the alerts of a batch.
            progress: called now and then.

        Raises:
            tiercel.UserError: the capture is damaged.
        """
        plan = self.plan.source(self._metadata.event_source)
        entries = _watched(self._reader.entries(), progress)
        decoder, acks = self._decoder, Acks()
        source = CaptureSource(self._metadata, entries, unpack=decoder.unpack, speed=self._speed)

        def submit(alerts: list[Alert], ticket: Any) -> None:
            emit(alerts)
            acks.complete(ticket)

        source.open(plan)
        decoder.open(plan, source.snapshot)
        detector = Detector(source, decoder, plan, self._engine, acks=acks, submit=submit)
        detector.run()
        return Replayed(detector.events, detector.alerts, decoder.counters().get("malformed", 0))


def _watched(entries: Iterator[Entry], progress: Callable[[], None]) -> Iterator[Entry]:
    for entry in entries:
        progress()
        yield entry
