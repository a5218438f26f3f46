"""Decoded events of captures, for tests of rules and exports."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from tiercel.capture.format import CaptureError, Entry
from tiercel.capture.reader import Reader
from tiercel.capture.source import CaptureSource
from tiercel.components.base import Context, Host
from tiercel.components.source import Decoder
from tiercel.fields import ChangePoint
from tiercel.plan import SourcePlan
from tiercel.plugins.building import built

if TYPE_CHECKING:
    from tiercel.capture.metadata import Metadata
    from tiercel.event import Event
    from tiercel.plugins import PluginHost

__all__ = ["STDIN", "decoder_of", "events_of", "loaded", "opened", "plan_of"]

STDIN: Final = Path("-")


@contextlib.contextmanager
def opened(path: Path, *, open_file: Callable[[Path], BinaryIO] = lambda path: path.open("rb")) -> Iterator[Reader]:
    """A reader of a capture; ``-`` is standard input.

    Raises:
        CaptureError: it cannot be read, or is no capture.
    """
    try:
        file = sys.stdin.buffer if path == STDIN else open_file(path)
    except OSError as error:
        raise CaptureError(f"{path}: cannot be read: {error.strerror}") from error
    with file:
        yield Reader(file, "standard input" if path == STDIN else str(path))


def loaded(path: Path) -> tuple[Metadata, list[Entry]]:
    """A whole capture in memory, for those who replay it again and again.

    Raises:
        CaptureError: it cannot be read, or is no capture.
    """
    with opened(path) as reader:
        return reader.metadata, list(reader.entries())


def decoder_of(metadata: Metadata, plugins: PluginHost, *, name: str) -> Decoder:
    """A decoder for the records of a capture.

    Args:
        metadata: header of the capture.
        plugins: where to look.
        name: name of the capture, for messages.

    Raises:
        CaptureError: no plugin decodes its event source, or its layout.
    """
    for cls in plugins.decoders():
        if cls.event_source == metadata.event_source:
            if metadata.layout not in cls.layouts:
                known = ", ".join(sorted(cls.layouts)) or "none"
                msg = f'{name}: records of layout "{metadata.layout}"; decoder {cls.name} reads {known}; try the version {metadata.version}'
                raise CaptureError(msg)
            return built(plugins.decoders(), cls, {}, Context(cls.name, metadata.hostname, Host()))
    raise CaptureError(f'{name}: no plugin has a decoder for event source "{metadata.event_source}"')


def plan_of(metadata: Metadata, fields: Iterable[str]) -> SourcePlan:
    """A plan without rules: all recorded types are wanted."""
    return SourcePlan(
        event_source=metadata.event_source, generation=1, wanted_types=metadata.types, judged=(), fields=frozenset(fields),
        guards=ChangePoint.NEVER, verdict=_no_verdict,
    )  # fmt: skip


def _no_verdict(event: Any) -> tuple[int, ...]:
    del event
    return ()


def events_of(reader: Reader, plugins: PluginHost) -> Iterator[Event]:
    """The events of a capture, all recorded fields decoded. An event is valid until the next one is asked for.

    Args:
        reader: the capture.
        plugins: have the decoder.

    Raises:
        CaptureError: the capture is damaged, or no plugin decodes it.
    """
    metadata = reader.metadata
    decoder = decoder_of(metadata, plugins, name=reader.name)
    plan = plan_of(metadata, metadata.fields)
    source = CaptureSource(metadata, reader.entries(), unpack=decoder.unpack, where=reader.name)
    source.open(plan)
    decoder.open(plan, source.snapshot)
    for record in source.journal():
        decoder.replay(record)
    while (batch := source.read(0)) is not None:
        for event in decoder.decode(batch):
            if event.type:
                yield event
