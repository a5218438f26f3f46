"""Tiercel's public API: all that plugins import. What is not in `__all__` may change in any version.

Importing it is cheap: no command line, no network, no YAML; nothing is discovered or started by it.
"""

from tiercel.alert import Alert, Priority
from tiercel.components.base import API_VERSION, EMPTY_SCHEMA, Component, Context, Host, Loaded, Stability
from tiercel.components.enricher import Enricher
from tiercel.components.extractor import field
from tiercel.components.output import Formatter, Output
from tiercel.components.progress import Progress
from tiercel.components.rules import RuleBundle
from tiercel.components.source import Abilities, Decoder, Replan, Source
from tiercel.components.standin import StandIn
from tiercel.components.tls import Tls
from tiercel.errors import (
    ConfigError,
    Diagnostic,
    HostError,
    Permanent,
    PluginError,
    Retry,
    RuleError,
    TiercelError,
    UserError,
)
from tiercel.event import Event, RawBatch
from tiercel.fields import ANY_SOURCE, FAILED, PENDING, Argument, ChangePoint, FactGroup, Field, FieldType, Quantifier, Unknown
from tiercel.fspath import join_path
from tiercel.hookspecs import hookimpl
from tiercel.plan import TRUE, Atom, Formula, JudgedType, KnownMasks, SourcePlan

__all__ = [
    "ANY_SOURCE",
    "API_VERSION",
    "EMPTY_SCHEMA",
    "FAILED",
    "PENDING",
    "TRUE",
    "Abilities",
    "Alert",
    "Argument",
    "Atom",
    "ChangePoint",
    "Component",
    "ConfigError",
    "Context",
    "Decoder",
    "Diagnostic",
    "Enricher",
    "Event",
    "FactGroup",
    "Field",
    "FieldType",
    "Formatter",
    "Formula",
    "Host",
    "HostError",
    "JudgedType",
    "KnownMasks",
    "Loaded",
    "Output",
    "Permanent",
    "PluginError",
    "Priority",
    "Progress",
    "Quantifier",
    "RawBatch",
    "Replan",
    "Retry",
    "RuleBundle",
    "RuleError",
    "Source",
    "SourcePlan",
    "Stability",
    "StandIn",
    "TiercelError",
    "Tls",
    "Unknown",
    "UserError",
    "field",
    "hookimpl",
    "join_path",
]
