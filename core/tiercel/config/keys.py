"""The keys of the file that are the core's own: each has a schema, and a function that makes data of a valid value.

A section that somebody adds is a module of its own in this package with ``SCHEMA``, a frozen dataclass and ``parse``; one line in `KEYS`
and one attribute of `tiercel.config.model.Config` of the same name bring it into the file, its validation and its documentation.
``parse`` sees a valid value in which the schema's defaults are filled in, so that it looks nothing up with a default of its own. A key
without ``default`` in its schema is not parsed where the file does not have it; then the attribute's default stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tiercel.config import (
    append_output,
    choices,
    endpoint,
    grants,
    labels,
    limits,
    loading,
    log,
    losses,
    plugin_choice,
    routes,
    snapshots,
    spool,
)

__all__ = ["KEYS", "OUTPUT_KEYS", "Key"]


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    Attributes:
        schema: JSON Schema of its value, with a description.
        parse: makes data of a valid value with defaults.
    """

    schema: Mapping[str, Any]
    parse: Callable[[Any], Any]


KEYS: Final[Mapping[str, Key]] = {
    "rules_files": Key(loading.RULES_FILES, tuple),
    "rule_matching": Key(loading.RULE_MATCHING, str),
    "priority": Key(loading.PRIORITY, loading.parse_priority),
    "watch_files": Key(loading.WATCH_FILES, bool),
    "rules": Key(choices.SCHEMA, choices.parse),
    "append_output": Key(append_output.SCHEMA, append_output.parse),
    "state_dir": Key(spool.STATE_DIR_SCHEMA, Path),
    "spool": Key(spool.SCHEMA, spool.parse),
    "grants": Key(grants.SCHEMA, grants.parse),
    "plugins": Key(plugin_choice.SCHEMA, plugin_choice.parse),
    "endpoint": Key(endpoint.SCHEMA, endpoint.parse),
    "event_loss": Key(losses.SCHEMA, losses.parse),
    "log": Key(log.SCHEMA, log.parse),
    "metrics_snapshots": Key(snapshots.SCHEMA, snapshots.parse),
    "labels": Key(labels.SCHEMA, labels.parse),
}
"""Keys of the top level -> what they hold; also attributes of `Config`."""

OUTPUT_KEYS: Final[Mapping[str, Key]] = {
    "route": Key(routes.ROUTE, routes.parse),
    "unless": Key(routes.UNLESS, routes.parse),
    "roll_up": Key(limits.ROLL_UP, limits.parse_roll_up),
    "rate_limit": Key(limits.RATE_LIMIT, limits.parse_rate_limit),
}
"""Keys that every output has beside its own. They are the core's: `Config.delivery` has them by output, the output does not see them."""
