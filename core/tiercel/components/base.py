"""What all components share: class data that names them, and the promises about their life.

A *component* is a class that a plugin registers through a hook (`tiercel.hookspecs`). The configuration picks classes by name;
the core builds each with `from_config`, opens it, uses it, closes it. The promises:

- The class is complete without an instance: name, summary, API version, stability and configuration schema are class attributes.
- `from_config` is pure: no I/O, no threads, no tasks. It may raise `tiercel.UserError`.
- `open` acquires what the component needs and returns quickly. It is called at most once per instance.
- `close` may be called without `open`, after a failed `open`, and more than once. It flushes and releases.
- Outputs open first, then enrichers, then sources; they close in reverse order, so that nothing is produced before it can leave.
- No component may assume that it is the only instance of its class.
- Every call has a time limit, and every step of an asynchronous one (docs/plugin-life.md). A call that is late, raises anything but
  what its contract names, or returns something else, has failed: it is counted and named, and the component is left alone for a while,
  or built and opened anew.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

if TYPE_CHECKING:
    from tiercel.components.output import Formatter

__all__ = ["API_VERSION", "EMPTY_SCHEMA", "Component", "Context", "Host", "Loaded", "Stability"]

API_VERSION: Final = "1.0"
"""Version of the plugin API, ``major.minor``. A component written for another major, or a newer minor, is refused."""

EMPTY_SCHEMA: Final[Mapping[str, Any]] = {"type": "object", "properties": {}, "additionalProperties": False}
"""Configuration schema of a component without options."""


class Stability(enum.Enum):
    """How far users may rely on a component."""

    EXPERIMENTAL = "experimental"
    BETA = "beta"
    STABLE = "stable"
    DEPRECATED = "deprecated"


@dataclass(frozen=True, slots=True)
class Context:
    """What the core offers a component besides its configuration.

    Attributes:
        component_id: ``name`` or ``name/instance`` of the configuration.
        hostname: name of this host, as alerts show it.
        host: the process that owns privilege, if there is one (see `Host`).
        formatters: the registered formatters by name, ready to use: plugins never import each other. Empty for formatters. An output
            offers the choice as an option ``format`` whose schema says ``"x-tiercel": "formatter"``; the core then checks the name.
    """

    component_id: str
    hostname: str
    host: Host
    formatters: Mapping[str, Formatter] = field(default_factory=dict)


class Host:
    """Access to what needs privilege. Without a supervisor (not root) the same calls act as the current user."""

    def open_granted(self, grant: str) -> int:
        """Descriptor of the file behind a grant of the configuration, for append or reading as the grant says.

        Raises:
            tiercel.UserError: no such grant, or the file is refused or cannot be opened.
        """
        raise NotImplementedError

    def load(self, loader: str, plan: Mapping[str, Any]) -> Loaded:
        """Starts a loader that a grant names, hands it the plan, and returns what it made and put in force.

        Raises:
            tiercel.UserError: no such loader, or it failed; with the reason that it gave.
        """
        loaded = self.prepare(loader, plan)
        self.commit(loader)
        return loaded

    def prepare(self, loader: str, plan: Mapping[str, Any]) -> Loaded:
        """`load` in two steps: what the loader made can be filled before `commit` puts it in force. Discards what was prepared before.

        Raises:
            tiercel.UserError: no such loader, or it failed; with the reason that it gave.
        """
        raise NotImplementedError

    def commit(self, loader: str) -> None:
        """Puts in force what was prepared, in place of what was in force.

        Raises:
            tiercel.UserError: nothing was prepared, or the loader failed; what was in force stays.
        """
        raise NotImplementedError

    def discard(self, loader: str) -> None:
        """Has the loader let go of what was prepared; the descriptors are the caller's to close."""
        raise NotImplementedError

    def journal(self) -> int | None:
        """Descriptor of memory that outlives this process, for a source's state; None without a supervisor."""
        return None

    def loaded(self, loader: str) -> Loaded | None:
        """What a loader made for an earlier sensor of this run and the supervisor still holds; None if nothing."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a loader left behind.

    Attributes:
        plan: the plan that it was made from.
        answer: what the loader says about it (layouts, offsets), typed by the loader.
        descriptors: name -> open descriptor, owned by the caller.
    """

    plan: Mapping[str, Any]
    answer: Mapping[str, Any]
    descriptors: Mapping[str, int]


class Component:
    """Base of all components; see the module's docstring for the promises."""

    name: ClassVar[str]
    """Short name, unique per kind: ``http``. The configuration says ``http`` or ``http/oncall``."""
    summary: ClassVar[str]
    """One sentence, shown by ``tiercel plugins``."""
    api_version: ClassVar[str]
    """The `API_VERSION` that the class was written for. No default: an inherited one would lie."""
    stability: ClassVar[Stability]
    """How far users may rely on it."""
    config_schema: ClassVar[Mapping[str, Any]] = EMPTY_SCHEMA
    """JSON Schema (2020-12) of the configuration: a closed object, each property described."""

    @classmethod
    def from_config(cls, config: Mapping[str, Any], context: Context) -> Self:  # noqa: ARG003  for those that have options
        """Builds an instance from a valid configuration with defaults applied. Pure. This one is for classes without options."""
        return cls()
