"""A valid configuration as data, and what the command line may say on top of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tiercel.alert import Priority
from tiercel.config.document import Origin
from tiercel.config.document import Path as Position
from tiercel.config.endpoint import Endpoint
from tiercel.config.files import absolute
from tiercel.config.grants import Grant
from tiercel.config.log import Log
from tiercel.config.losses import EventLoss
from tiercel.config.plugin_choice import PluginChoice
from tiercel.config.snapshots import Snapshots
from tiercel.config.spool import SpoolSettings, default_state_dir
from tiercel.errors import Diagnostic
from tiercel.ruleset.extra_output import ExtraOutput
from tiercel.ruleset.selection import Choice

__all__ = ["BUILT_IN", "DEFAULT_FILE", "Config", "RunOptions", "override"]

DEFAULT_FILE: Final = Path("/etc/tiercel/tiercel.yaml")
"""Read if it exists and nothing else is named."""
BUILT_IN: Final = "<built-in configuration>"
"""Name of the configuration that has no file, in messages."""
APPEND: Final = "append:"
"""Prefix of the grant that the supervisor makes of ``--output-file PATH``, followed by the absolute path."""

STDOUT: Final = Path("-")

Options = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration, valid, with defaults applied.

    Attributes:
        file: name of the file; "" for the built-in configuration.
        rules_files: files, directories and ``bundle:NAME``, in order; None for all bundles of all plugins.
        rule_matching: ``first`` or ``all``: the rules that make an alert of an event.
        priority: rules that are less urgent are not loaded.
        watch_files: files are reloaded when they change.
        rules: what is enabled and disabled, in order, on top of what the rules say.
        append_output: what is added to outputs and fields of alerts.
        sources: component id -> options, as for the other kinds.
        enrichers: see `sources`.
        outputs: see `sources`.
        state_dir: directory of the sensor's own files.
        spool: how alerts are kept.
        grants: name -> grant.
        plugins: which plugins are imported.
        endpoint: the listener for metrics and health.
        event_loss: when events that got lost are reported.
        log: the sensor's log.
        metrics_snapshots: when the counters are reported; None for never.
        labels: field -> value that every alert gets.
        delivery: output id -> the core's own options of that output (`tiercel.config.keys.OUTPUT_KEYS`).
        origins: path in the file -> where that is from; what has no entry is a default, or part of what has one.
    """

    file: str = ""
    rules_files: tuple[str, ...] | None = None
    rule_matching: str = "first"
    priority: Priority = Priority.DEBUG
    watch_files: bool = True
    rules: tuple[Choice, ...] = ()
    append_output: tuple[ExtraOutput, ...] = ()
    sources: Mapping[str, Options] = field(default_factory=dict)
    enrichers: Mapping[str, Options] = field(default_factory=dict)
    outputs: Mapping[str, Options] = field(default_factory=dict)
    state_dir: Path = field(default_factory=default_state_dir)
    spool: SpoolSettings = field(default_factory=SpoolSettings)
    grants: Mapping[str, Grant] = field(default_factory=dict)
    plugins: PluginChoice = field(default_factory=PluginChoice)
    endpoint: Endpoint = field(default_factory=Endpoint)
    event_loss: EventLoss = field(default_factory=EventLoss)
    log: Log = field(default_factory=Log)
    metrics_snapshots: Snapshots | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    delivery: Mapping[str, Options] = field(default_factory=dict)
    origins: Mapping[Position, Origin] = field(default_factory=dict, compare=False, repr=False)

    def origin(self, path: Position) -> Origin:
        """Where the value at a path is from, or what it is part of; without a line, it is a default."""
        while path and path not in self.origins:
            path = path[:-1]
        return self.origins[path] if path else Origin(self.file or BUILT_IN, 0, 0)

    def problem(self, path: Position, message: str, *, warning: bool = False) -> Diagnostic:
        """A diagnostic about the value at a path, which is valid by its schema."""
        return dataclasses.replace(self.origin(path).problem(path, message), warning=warning)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The command line of ``tiercel run``.

    Attributes:
        config_file: configuration; None for `DEFAULT_FILE` if it exists, else the built-in configuration.
        rules: rule files and directories instead of the configuration's; empty for those.
        json: standard output gets JSON.
        output_file: alerts are appended to this file too.
        stats: counters are printed at the end.
        rule_matching: instead of the configuration's; None for that.
        capture: what is read is recorded to this file, ``-`` for standard output; alerts go to `output_file` only. None for no capture.
        options: ``KEY=VALUE`` over the configuration file.
        seconds: the sensor ends after this time; None for no end.
        capture_all: the capture gets all events of the types that the rules want, with all fields, not only what passes their masks.
    """

    config_file: Path | None = None
    rules: tuple[Path, ...] = ()
    json: bool = False
    output_file: Path | None = None
    stats: bool = False
    rule_matching: str | None = None
    capture: Path | None = None
    capture_all: bool = False
    options: tuple[str, ...] = ()
    seconds: float | None = None


def override(config: Config, options: RunOptions) -> Config:
    """The configuration with what the command line says."""
    outputs = dict(config.outputs) if options.capture is None else {}
    grants = dict(config.grants)
    if options.capture not in (None, STDOUT):
        path = absolute(options.capture)
        grants[APPEND + path] = Grant(path, "append")
    if options.json:
        outputs = {name: {**each, "format": "json"} if _is(name, "stdout") else each for name, each in outputs.items()}
    if options.output_file:
        path = absolute(options.output_file)
        grants[APPEND + path] = Grant(path, "append")
        outputs["file/output-file"] = {"grant": APPEND + path, "format": "json" if options.json else "text"}
    origins = {path: at for path, at in config.origins.items() if path[:1] != ("rules_files",)} if options.rules else config.origins
    return dataclasses.replace(
        config,
        origins=origins,
        outputs=outputs,
        grants=grants,
        rules_files=tuple(absolute(path) for path in options.rules) or config.rules_files,
        rule_matching=options.rule_matching or config.rule_matching,
    )


def _is(component_id: str, name: str) -> bool:
    return component_id.partition("/")[0] == name
