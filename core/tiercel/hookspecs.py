"""The manual of hooks: every door through which a plugin enters, in the order in which the host opens them.

A plugin is a module (or any object) behind an entry point of the group ``tiercel``. It implements the hooks that it needs, each
marked with `tiercel.hookimpl`, and leaves the others out::

    from tiercel import hookimpl

    @hookimpl
    def tiercel_register_outputs():
        return [MyOutput]

What holds for all of them:

- A hook that registers something is called once per start, before anything is opened; none is called per event. It takes no argument,
  unless said otherwise, and returns at once: no I/O, no threads, no tasks.
- It returns classes or data, which name themselves. The configuration picks and configures them; being installed starts nothing.
- The host asks plugin after plugin what they register, in the order of their entry points' names. A plugin of which one hook raises, or
  returns what it may not, is left out completely and reported by name; the others go on.
- Two plugins that register the same name are an error that names both distributions. Nothing is overridden silently.
- A function marked with `hookimpl` whose name is no hook is a mistake, and its plugin is left out; ``hookimpl(optionalhook=True)``
  says that the hook belongs to a newer host.
- Wrappers (``wrapper=True``) have no meaning here and are refused.

New hooks, and new arguments of hooks, come with minor versions of `tiercel.API_VERSION`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import pluggy

if TYPE_CHECKING:
    from tiercel.components.enricher import Enricher
    from tiercel.components.output import Formatter, Output
    from tiercel.components.rules import RuleBundle
    from tiercel.components.source import Decoder, Source
    from tiercel.components.standin import StandIn
    from tiercel.fields import Field

__all__ = ["PROJECT", "hookimpl"]

PROJECT: Final = "tiercel"
"""Name of the entry-point group, and of the project in pluggy's sense."""

hookspec: Final = pluggy.HookspecMarker(PROJECT)
hookimpl: Final = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin as the implementation of the hook of the same name."""

# ----------------------------------------------------------------------------------------------------------------- what comes in


@hookspec
def tiercel_register_sources() -> Iterable[type[Source]]:
    """Classes that produce raw records of an event source.

    Several classes may serve the same event source (the live kernel, a recording); the configuration says which of them run.
    """
    raise NotImplementedError


@hookspec
def tiercel_register_decoders() -> Iterable[type[Decoder]]:
    """Classes that turn the raw records of an event source into events: one for each event source.

    The core joins a source and a decoder by ``event_source``; they need not come from one plugin.
    """
    raise NotImplementedError


# --------------------------------------------------------------------------------------------------------------- what rules read


@hookspec
def tiercel_register_fields() -> Iterable[Field]:
    """Fields that conditions and outputs may name: made by `tiercel.field`, or `tiercel.Field` data beside a decoder.

    A field's name may be taken once for each event source. The inputs of a computed field may come from any plugin.
    """
    raise NotImplementedError


@hookspec
def tiercel_register_enrichers() -> Iterable[type[Enricher]]:
    """Classes that learn in the background what events do not carry. Their fields are registered like any others."""
    raise NotImplementedError


@hookspec
def tiercel_register_rules() -> Iterable[RuleBundle]:
    """Bundles of rule files. They are loaded where the configuration names ``bundle:NAME``, or names no rule files at all."""
    raise NotImplementedError


@hookspec
def tiercel_register_stand_ins() -> Iterable[StandIn]:
    """Plugins of Falco in whose place this one stands, for rule files that require them (``required_plugin_versions``).

    Say it only if the fields and events of that version are there: a file that requires a plugin relies on them.
    """
    raise NotImplementedError


# ----------------------------------------------------------------------------------------------------------------- what goes out


@hookspec
def tiercel_register_formatters() -> Iterable[type[Formatter]]:
    """Classes that turn an alert into bytes. Outputs find them by name in `tiercel.Context.formatters`."""
    raise NotImplementedError


@hookspec
def tiercel_register_outputs() -> Iterable[type[Output]]:
    """Classes that deliver alerts somewhere."""
    raise NotImplementedError


# --------------------------------------------------------------------------------------------------------------------- secrets


@hookspec(firstresult=True)
def tiercel_resolve_secret(reference: str) -> str | None:
    """The secret behind a reference of the configuration, such as ``vault:path/of/it``; None if it is not one of this plugin's.

    Of several plugins, the one whose entry point comes last by name is asked first, unless ``tryfirst`` or ``trylast`` says otherwise; the
    first answer counts.

    Called when components are built, for each option that its schema marks with ``writeOnly: true`` and whose value is a reference. It may
    read and ask, but start waits for it. ``env:``, ``file:`` and ``plain:`` are the core's, unless a plugin answers first. Raise
    `tiercel.UserError` where the secret cannot be had, without the secret in the message; nothing else that is raised is shown.
    """
    raise NotImplementedError
