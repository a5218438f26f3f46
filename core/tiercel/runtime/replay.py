"""Replays a capture through decoder and engine, in this process and without privilege; alerts go to a function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tiercel.capture.events import decoder_of
from tiercel.capture.source import CaptureSource
from tiercel.capture.values import RecordedFields, unrecorded
from tiercel.components.source import Abilities
from tiercel.engine.engine import Engine
from tiercel.engine.planner import build
from tiercel.pipeline.acks import Acks
from tiercel.pipeline.detect import Detector
from tiercel.runtime.wording import some

if TYPE_CHECKING:
    from tiercel.alert import Alert
    from tiercel.capture.format import Entry
    from tiercel.capture.reader import Reader
    from tiercel.plugins import PluginHost
    from tiercel.ruleset.model import Rule

__all__ = ["Replay", "Replayed"]

SHOWN: Final = 8


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
        begin: alerts of earlier events are left out, nanoseconds since the epoch.

    Raises:
        tiercel.UserError: no plugin decodes the capture.
    """

    def __init__(
        self, reader: Reader, plugins: PluginHost, rules: tuple[Rule, ...], *, matching: str, speed: float | None, begin: int
    ) -> None:
        metadata = reader.metadata
        self._decoder = decoder_of(metadata, plugins, name=reader.name)
        abilities = {metadata.event_source: Abilities(event_types=metadata.types)}
        catalogue = RecordedFields(plugins.fields(), metadata.hostname)
        self.plan = build(rules, catalogue, abilities, generation=1, resolve=metadata.resolve)
        self._engine = Engine(self.plan, matching=matching, hostname=metadata.hostname, origin=metadata.origin)  # type: ignore[arg-type]  # validated
        self._catalogue = plugins.fields()
        self._reader, self._metadata, self._rules, self._speed, self._begin = reader, metadata, rules, speed, begin

    def warnings(self) -> Iterator[str]:
        """What rules need that the capture does not have, for people."""
        metadata = self._metadata
        others = [rule for rule in self._rules if rule.source != metadata.event_source]
        if others:
            yield f"{len(others)} of {len(self._rules)} rules are for other event sources than {metadata.event_source}"
        types = {each for rule in self._rules if rule.source == metadata.event_source for each in rule.event_types or ()} - metadata.types
        if types:
            yield f"rules name event types that were not recorded: {some(sorted(types), SHOWN)}"
        fields = unrecorded(self._catalogue, metadata, self.plan.source(metadata.event_source).fields)
        if fields:
            yield f"rules read fields that were not recorded: {some(sorted(fields), SHOWN)}"
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
        source = CaptureSource(self._metadata, entries, unpack=decoder.unpack, where=self._reader.name, speed=self._speed)

        alerted = 0

        def submit(alerts: list[Alert], ticket: Any) -> None:
            nonlocal alerted
            wanted = [alert for alert in alerts if alert.time >= self._begin]
            alerted += len(wanted)
            emit(wanted)
            acks.complete(ticket)

        source.open(plan)
        decoder.open(plan, source.snapshot)
        detector = Detector(source, decoder, plan, self._engine, acks=acks, submit=submit)
        detector.run()
        return Replayed(detector.events, alerted, decoder.counters().get("malformed", 0))


def _watched(entries: Iterator[Entry], progress: Callable[[], None]) -> Iterator[Entry]:
    for entry in entries:
        yield entry
        progress()
    progress()
