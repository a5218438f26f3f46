"""Captures: the raw batches of a source with the state that decoding starts from, in a file (docs/captures.md).

`record` taps a source and `writer` writes; `reader` reads and `source` replays to the decoder that the live source has; `events` decodes
for tests and exports.
"""

from __future__ import annotations

from tiercel.capture.events import events_of, loaded, opened
from tiercel.capture.format import CaptureError
from tiercel.capture.metadata import Metadata
from tiercel.capture.reader import Reader
from tiercel.capture.source import CaptureSource
from tiercel.capture.values import RecordedFields, Values, printable, unrecorded
from tiercel.capture.writer import Writer

__all__ = [
    "CaptureError",
    "CaptureSource",
    "Metadata",
    "Reader",
    "RecordedFields",
    "Values",
    "Writer",
    "events_of",
    "loaded",
    "opened",
    "printable",
    "unrecorded",
]
