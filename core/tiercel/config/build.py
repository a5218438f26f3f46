"""Builds the components that a configuration names. Nothing is opened here."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tiercel.components.base import Component, Context, Host
from tiercel.errors import UserError
from tiercel.plugins.building import BuildError, Named, built

if TYPE_CHECKING:
    from tiercel.components.output import Formatter
    from tiercel.config.secrets import Secrets
    from tiercel.plugins import PluginHost
    from tiercel.registry import ComponentRegistry

__all__ = ["Planned", "build", "formatters", "hostname", "planned"]

C = TypeVar("C", bound=Component)
_log = logging.getLogger("tiercel.plugins")


def hostname() -> str:
    """Name of this host as alerts show it; FALCO_HOSTNAME overrides it, as in Falco."""
    return os.environ.get("FALCO_HOSTNAME") or os.uname().nodename


def formatters(plugins: PluginHost, *, privileged: Host) -> dict[str, Formatter]:
    """All formatters by name, for `Context.formatters`. One that cannot be built is left out, and told."""
    found: dict[str, Formatter] = {}
    for cls in plugins.formatters():
        try:
            [formatter] = build(plugins.formatters(), {cls.name: {}}, privileged=privileged, formatters={}).values()
            found[cls.name] = Named(formatter, plugins.formatters().owner(cls.name))
        except BuildError as error:
            _log.error("%s; outputs have to do without it", error)
    return found


def build(
    registry: ComponentRegistry[C],
    section: Mapping[str, Mapping[str, Any]],
    *,
    privileged: Host,
    formatters: Mapping[str, Formatter],
    secrets: Secrets | None = None,
) -> dict[str, C]:
    """The components of one section, by id.

    Args:
        registry: classes of their kind.
        section: component id -> options with defaults, ``config.outputs`` for example.
        privileged: what opens files for them.
        formatters: from `formatters`.
        secrets: resolves references in the options; None if there are none.

    Raises:
        tiercel.PluginError: no plugin has a component of that name.
        tiercel.UserError: a component refuses its options, or a secret of theirs is missing. The message has no secret.
        tiercel.plugins.building.BuildError: a component cannot be built at all.
    """
    made: dict[str, C] = {}
    for component_id, options in section.items():
        cls = registry.get(component_id.partition("/")[0])
        found = options if secrets is None else secrets.resolved(cls.config_schema, options)
        try:
            made[component_id] = built(registry, cls, found, Context(component_id, hostname(), privileged, formatters))
        except UserError as error:
            if secrets is None or secrets.hide(str(error)) == str(error):
                raise
            kind = BuildError if isinstance(error, BuildError) else UserError
            raise kind(secrets.hide(str(error))) from None
    return made


@dataclass(frozen=True, slots=True)
class Planned(Generic[C]):
    """A component that the configuration names.

    Attributes:
        component: built, not opened; None if its plugin failed to build it.
        options: what the configuration says of it, the core's part included: while that is equal, an open component stays in use.
        make: builds another one of the same options, for a second try to open it.
        core: the core's part of the options alone.
        problem: why there is no component.
        owner: distribution and version of its plugin.
    """

    component: C | None
    options: Any
    make: Callable[[], C]
    core: Mapping[str, Any] = field(default_factory=dict)
    problem: BuildError | None = None
    owner: str = ""


def planned(
    registry: ComponentRegistry[C], section: Mapping[str, Mapping[str, Any]], *, core: Mapping[str, Any], **parts: Any
) -> dict[str, Planned[C]]:  # fmt: skip
    """`build`, for `tiercel.pipeline.delivery.Receivers`.

    Args:
        registry: see `build`.
        section: see `build`.
        core: component id -> what is configured for it besides, ``config.delivery`` for outputs.
        parts: the other arguments of `build`.

    Raises:
        tiercel.UserError: see `build`; but that a plugin failed is noted, so that all others can do their work.
    """
    found: dict[str, Planned[C]] = {}
    for component_id, options in section.items():
        make = partial(_one, registry, component_id, options, parts)
        own = core.get(component_id, {})
        component, problem = None, None
        try:
            component = make()
        except BuildError as error:
            problem = error
        owner = registry.owner(component_id.partition("/")[0])
        found[component_id] = Planned(component, (options, own), make, own, problem, owner)
    return found


def _one(registry: ComponentRegistry[C], component_id: str, options: Mapping[str, Any], parts: Mapping[str, Any]) -> C:
    return build(registry, {component_id: options}, **parts)[component_id]
