"""What a sensor says when it begins to watch: rules, event types and source, and where the alerts go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tiercel.config.model import APPEND

if TYPE_CHECKING:
    from tiercel.runtime.generation import Generation

__all__ = ["destinations", "watched"]


def watched(generation: Generation) -> str:
    """The rules in force, the event types that they are about, and the source."""
    types = len(generation.source_plan.wanted_types)
    source = generation.source_id
    if generation.source.event_source != source:
        source += f" ({generation.source.event_source})"
    rules = len(generation.rules)
    return f"{rules} rule{'s' * (rules != 1)} for {types} event type{'s' * (types != 1)}, source {source}"


def destinations(generation: Generation) -> str:
    """The outputs by id, each with the options that it must have, which say where it leads: a file by its path, a server by its address."""
    config, classes = generation.config, generation.plugins.outputs()
    shown = []
    for name, options in config.outputs.items():
        schema = classes.get(name.partition("/")[0]).config_schema
        required = [
            options[key]
            for key in schema.get("required", ())
            if isinstance(options.get(key), str) and not schema["properties"][key].get("writeOnly")
        ]
        shown.append(" ".join((name, *_places(required, generation))))
    return ", ".join(shown) or "nowhere: there is no output"


def _places(values: list[str], generation: Generation) -> Iterator[str]:
    """Grants become paths."""
    grants = generation.config.grants
    for value in values:
        yield grants[value].path if value in grants else value.removeprefix(APPEND)
