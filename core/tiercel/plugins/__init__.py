"""The plugin host: finds plugins, decides which of them may be imported, loads them, and keeps what they registered by name.

The flow, all of it in `PluginHost.load`:

1. List the entry points of the group ``tiercel`` from the metadata of all distributions. Nothing is imported.
2. Leave out what the configuration denies or does not allow, and what requires another version of tiercel or of another plugin: importing
   is executing. Look at the plugin files that the configuration names, and at who could change them.
3. Import the rest, each guarded; check their hooks, collect what they return, check that.
4. Merge by name. A clash is an error that names both owners.

A plugin that fails on the way is left out completely, with the reason (`Plugin.reason`); the others go on. If something that the user
asked for is missing then, the message about it names the plugins that were left out.

There is no global manager: a host is an object, and importing this module discovers nothing.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pluggy

from tiercel import hookspecs
from tiercel.components.enricher import Enricher
from tiercel.components.output import Formatter, Output
from tiercel.components.rules import RuleBundle
from tiercel.components.source import Decoder, Source
from tiercel.components.standin import StandIn
from tiercel.errors import PluginError
from tiercel.plugins import calls, files, requirements
from tiercel.plugins.discovery import OWN, by_name, claim, entry_points, normalised
from tiercel.plugins.hooks import COMPONENTS, Broken, call, describe, explain_hook, label, resolve_secret
from tiercel.plugins.model import Plugin, State
from tiercel.registry import ComponentRegistry, FieldCatalogue

__all__ = ["Plugin", "PluginHost", "State"]


@dataclass(slots=True)
class _Contribution:
    """What one plugin registered: hook -> items, checked one by one but not yet against those of others."""

    plugin: Plugin
    items: dict[str, list[Any]]


class PluginHost:
    """Loads plugins and answers for what they registered.

    Args:
        allow: entry-point names of the plugins of *other* distributions that may be imported; None for all.
        deny: names of plugins that must not be imported, ours too.
        paths: plugin files, absolute.
        distributions: where to look; by default all that are installed.
    """

    def __init__(
        self, *, allow: Iterable[str] | None = None, deny: Iterable[str] = (), paths: Sequence[Path] = (),
        distributions: Iterable[Distribution] | None = None,
    ) -> None:  # fmt: skip
        self._allow = None if allow is None else frozenset(allow)
        self._deny = frozenset(deny)
        self._paths = tuple(paths)
        self._distributions = distributions
        self._plugins: dict[str, Plugin] = {}
        self._registries: dict[str, ComponentRegistry[Any]] = {}
        self._catalogue = FieldCatalogue()
        self._bundles: dict[str, tuple[RuleBundle, str]] = {}
        self._stand_ins: dict[str, tuple[StandIn, str]] = {}
        self._manager: pluggy.PluginManager | None = None

    # ------------------------------------------------------------------------------------------------------------------- facade

    def plugins(self) -> list[Plugin]:
        """All plugins that were found, by name, the ones left out included."""
        return [self._plugins[name] for name in sorted(self._plugins)]

    def problems(self) -> list[Plugin]:
        """Plugins that were refused or failed."""
        return [plugin for plugin in self.plugins() if plugin.state in (State.REFUSED, State.FAILED)]

    def sources(self) -> ComponentRegistry[Source]:
        """The registered sources."""
        return self._registries["source"]

    def decoders(self) -> ComponentRegistry[Decoder]:
        """The registered decoders."""
        return self._registries["decoder"]

    def decoder_of(self, event_source: str) -> type[Decoder]:
        """The decoder of an event source.

        Raises:
            tiercel.PluginError: no plugin has one.
        """
        for decoder in self.decoders():
            if decoder.event_source == event_source:
                return decoder
        known = ", ".join(sorted({decoder.event_source for decoder in self.decoders()})) or "none"
        msg = f'no decoder for event source "{event_source}" (known: {known}); install a plugin that has one{self._left_out("; ")}'
        raise PluginError(msg)

    def enrichers(self) -> ComponentRegistry[Enricher]:
        """The registered enrichers."""
        return self._registries["enricher"]

    def formatters(self) -> ComponentRegistry[Formatter]:
        """The registered formatters."""
        return self._registries["formatter"]

    def outputs(self) -> ComponentRegistry[Output]:
        """The registered outputs."""
        return self._registries["output"]

    def fields(self) -> FieldCatalogue:
        """The resolved catalogue of all fields."""
        return self._catalogue

    def rules(self) -> list[RuleBundle]:
        """The registered rule bundles, by name."""
        return [self._bundles[name][0] for name in sorted(self._bundles)]

    def resolve_secret(self, reference: str) -> str | None:
        """The secret behind a reference, from the first plugin that knows it; None if none does.

        Raises:
            tiercel.UserError: a plugin says that it cannot be had, or fails.
        """
        owners = {plugin.name: plugin.owner for plugin in self.plugins() if plugin.state is State.LOADED}
        return None if self._manager is None else resolve_secret(self._manager, reference, owners)

    def stand_ins(self) -> dict[str, str]:
        """Version of each plugin of Falco in whose place one of ours stands, by its name."""
        return {name: stand_in.version for name, (stand_in, _) in sorted(self._stand_ins.items())}

    # ------------------------------------------------------------------------------------------------------------------ loading

    def load(self) -> None:
        """Finds, vets and loads all plugins, in the order of their names. Call it once, before anything else.

        Raises:
            tiercel.PluginError: two plugins have the same name or registered the same name, or tiercel itself is not installed.
        """
        distributions = by_name(importlib.metadata.distributions() if self._distributions is None else self._distributions)
        if OWN not in distributions:
            msg = "tiercel has no metadata of its own (expected an installed distribution); install it with pip"
            raise PluginError(msg)
        manager = self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        imports: dict[str, Callable[[], object]] = {}
        for name, (distribution, entry_point) in sorted(entry_points(distributions.values()).items()):
            self._plugins[name] = self._chosen(
                Plugin(
                    name=name,
                    distribution=distribution.name,
                    version=distribution.version,
                    target=entry_point.value,
                    state=State.LOADED,
                )
            )
            imports[name] = entry_point.load
        self._check_requirements(distributions)
        for path in self._paths:
            self._find_file(path, imports)
        contributions = []
        for plugin in self.plugins():
            if plugin.state is State.LOADED:
                try:
                    contributions.append(self._enter(plugin, imports[plugin.name], manager))
                except Broken as error:
                    self._fail(plugin, str(error))
        self._merge(contributions)

    def _chosen(self, plugin: Plugin) -> Plugin:
        """The plugin, denied if the configuration says so."""
        if plugin.name in self._deny:
            return dataclasses.replace(plugin, state=State.DENIED, reason="denied by plugins.deny")
        if self._allow is not None and plugin.name not in self._allow and plugin.distribution not in (OWN, ""):
            return dataclasses.replace(plugin, state=State.DENIED, reason="not in plugins.allow")
        return plugin

    def _check_requirements(self, distributions: dict[str, Distribution]) -> None:
        """Refuses plugins whose distribution requires what there is not, and then those that require these. Reads metadata only."""
        own = distributions[OWN].version
        having = {normalised(plugin.distribution): plugin for plugin in self.plugins() if plugin.distribution != OWN}
        others = {name: distributions[name] for name in having}
        for name, plugin in self._plugins.items():
            if plugin.distribution != OWN:
                found = requirements.of_plugins(others[normalised(plugin.distribution)], others)
                self._plugins[name] = dataclasses.replace(plugin, requires=found)
        refused = True
        while refused:
            refused = False
            left_out = self._left_out_distributions()
            for plugin in self.plugins():
                if plugin.state is not State.LOADED or plugin.distribution == OWN:
                    continue
                distribution = others[normalised(plugin.distribution)]
                reason = requirements.conflict(distribution, host_version=own, plugins=others, left_out=left_out)
                if reason:
                    self._plugins[plugin.name] = dataclasses.replace(plugin, state=State.REFUSED, reason=reason)
                    refused = True

    def _left_out_distributions(self) -> dict[str, str]:
        """Distributions of which no plugin is left -> why."""
        reasons = {normalised(plugin.distribution): plugin.reason for plugin in self.plugins() if plugin.state is not State.LOADED}
        for plugin in self.plugins():
            if plugin.state is State.LOADED:
                reasons.pop(normalised(plugin.distribution), None)
        return reasons

    def _find_file(self, path: Path, imports: dict[str, Callable[[], object]]) -> None:
        """Looks at a plugin file; it is executed later, as it was read here."""
        plugin = Plugin(name=path.stem, distribution="", version="", target=str(path), state=State.LOADED)
        claim("plugin", plugin.name, plugin.owner, {each.name: each.owner for each in self.plugins()})
        plugin = self._chosen(plugin)
        if plugin.state is State.LOADED:
            try:
                plugin = dataclasses.replace(plugin, name=files.name_of(path))
                text = files.read(path, users=files.trusted_users())
            except files.Untrusted as error:
                plugin = dataclasses.replace(plugin, state=State.REFUSED, reason=str(error))
            except OSError as error:
                plugin = dataclasses.replace(plugin, state=State.REFUSED, reason=f"{path}: cannot be read: {error.strerror}")
            else:
                imports[plugin.name] = lambda: files.load(path, text)
        self._plugins[plugin.name] = plugin

    def _enter(self, plugin: Plugin, load: Callable[[], object], manager: pluggy.PluginManager) -> _Contribution:
        """Imports a plugin, registers its hooks and collects what they return."""
        try:
            module = calls.within(calls.IMPORT_SECONDS, load)
        except Exception as error:
            msg = f"cannot be imported: {describe(error)}"
            raise Broken(msg) from error
        imported = sys.modules.get(plugin.target.partition(":")[0].strip(), module)
        path = getattr(imported, "__file__", None) or ""
        self._plugins[plugin.name] = plugin = dataclasses.replace(plugin, path=path)
        try:
            manager.register(module, name=plugin.name)
            manager.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            if manager.has_plugin(plugin.name):
                manager.unregister(name=plugin.name)
            raise Broken(explain_hook(module, error)) from error
        except Exception as error:  # pluggy looks at all attributes of the plugin, and those may do anything
            msg = f"cannot be inspected: {describe(error)}"
            raise Broken(msg) from error
        callers = sorted(caller.name for caller in manager.get_hookcallers(module) or () if caller.spec is not None)
        items = {hook: call(manager, hook, plugin.name) for hook in callers if hook.startswith("tiercel_register_")}
        provides = tuple(sorted(label(hook, item) for hook, found in items.items() for item in found))
        self._plugins[plugin.name] = plugin = dataclasses.replace(plugin, hooks=tuple(callers), provides=provides)
        return _Contribution(plugin, items)

    def _merge(self, contributions: list[_Contribution]) -> None:
        """Fills registries and catalogue. Plugins whose fields lack their inputs are left out, and then those that build on them."""
        broken = True
        while broken:
            self._collect(contributions)
            broken = False
            for field, message in self._catalogue.problems():
                for contribution in list(contributions):
                    own = contribution.items.get("tiercel_register_fields", ())
                    if any((field.name, field.sources) == (each.name, each.sources) for each in own):
                        self._fail(contribution.plugin, message)
                        contributions.remove(contribution)
                        broken = True

    def _collect(self, contributions: list[_Contribution]) -> None:
        def left_out() -> str:
            return self._left_out("")

        self._catalogue, self._bundles, self._stand_ins = FieldCatalogue(), {}, {}
        self._registries = {kind: ComponentRegistry(kind, base, hint=left_out) for kind, base in COMPONENTS.values()}
        decoders: dict[str, str] = {}
        for contribution in contributions:
            owner = contribution.plugin.owner
            for hook, items in contribution.items.items():
                for item in items:
                    if hook == "tiercel_register_fields":
                        self._catalogue.add(item, owner)
                    elif hook == "tiercel_register_rules":
                        claim("rule bundle", item.name, owner, {name: whose for name, (_, whose) in self._bundles.items()})
                        self._bundles[item.name] = (item, owner)
                    elif hook == "tiercel_register_stand_ins":
                        claim("stand-in for plugin", item.name, owner, {name: whose for name, (_, whose) in self._stand_ins.items()})
                        self._stand_ins[item.name] = (item, owner)
                    else:
                        self._registries[COMPONENTS[hook][0]].add(item, owner)
                    if hook == "tiercel_register_decoders":
                        claim("decoder of event source", item.event_source, owner, decoders)
                        decoders[item.event_source] = owner

    def _fail(self, plugin: Plugin, reason: str) -> None:
        known = self._plugins[plugin.name]
        self._plugins[plugin.name] = dataclasses.replace(known, state=State.FAILED, reason=reason, provides=())

    def _left_out(self, before: str) -> str:
        """Plugins that were left out, for messages about something that is missing."""
        left_out = [plugin for plugin in self.plugins() if plugin.state is not State.LOADED]
        texts = [f"plugin {plugin.name} of {plugin.owner} was left out: {plugin.reason}" for plugin in left_out]
        return before + "; ".join(texts) if texts else ""
