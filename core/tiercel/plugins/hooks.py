"""Calls the hooks of one plugin and checks what they return, so that what is wrong is that plugin's failure and nobody else's."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

import pluggy

from tiercel import hookspecs
from tiercel.components.base import Component
from tiercel.components.enricher import Enricher
from tiercel.components.output import Formatter, Output
from tiercel.components.rules import RuleBundle
from tiercel.components.source import Abilities, Decoder, Source
from tiercel.components.standin import StandIn
from tiercel.errors import PluginError, UserError
from tiercel.fields import Field
from tiercel.hookspecs import PROJECT
from tiercel.plugins import calls
from tiercel.registry import check_component, check_field

__all__ = ["COMPONENTS", "Broken", "call", "describe", "explain_hook", "label", "resolve_secret"]

COMPONENTS: Final[Mapping[str, tuple[str, type[Component]]]] = {
    "tiercel_register_sources": ("source", Source),
    "tiercel_register_decoders": ("decoder", Decoder),
    "tiercel_register_enrichers": ("enricher", Enricher),
    "tiercel_register_formatters": ("formatter", Formatter),
    "tiercel_register_outputs": ("output", Output),
}
"""Hooks that register classes -> kind and base class."""


class Broken(Exception):
    """Ends the loading of one plugin, with the reason."""


def explain_hook(module: object, error: Exception) -> str:
    """What is wrong with a hook of a plugin: a name that is none, with the near ones, or pluggy's own words."""
    known = [name for name in dir(hookspecs) if name.startswith("tiercel_")]
    for name in dir(module):
        marks = getattr(inspect.getattr_static(module, name, None), f"{PROJECT}_impl", None)
        if marks and not marks.get("optionalhook") and (marks.get("specname") or name) not in known:
            near = difflib.get_close_matches(name, known, n=1)
            return f'unknown hook "{name}"' + (f' (did you mean "{near[0]}"?)' if near else f"; known: {', '.join(known)}")
    return f"bad hook: {' '.join(str(error).split())}"


def call(manager: pluggy.PluginManager, hook: str, plugin: str) -> list[Any]:
    """What one plugin's implementation of a hook returns, each item checked."""
    caller: pluggy.HookCaller = getattr(manager.hook, hook)
    [implementation] = [each for each in caller.get_hookimpls() if each.plugin_name == plugin]
    if implementation.wrapper or implementation.hookwrapper:
        msg = f"{hook}: wrappers have no meaning here; return what is registered"
        raise Broken(msg)
    try:
        # pluggy cannot know what it is: any object. It may return a generator.
        items: list[Any] = calls.within(calls.HOOK_SECONDS, lambda: list(implementation.function()))  # type: ignore[call-overload]
    except Exception as error:
        msg = f"{hook}: {describe(error)}"
        raise Broken(msg) from error
    check: Callable[[object], None] = _CHECKS.get(
        hook, lambda item: check_component(item, kind=COMPONENTS[hook][0], base=COMPONENTS[hook][1])
    )
    for item in items:
        try:
            check(item)
        except PluginError as error:
            msg = f"{hook}: {error}"
            raise Broken(msg) from error
    return items


def _check_field(item: object) -> None:
    if not isinstance(item, Field):
        hint = "; decorate it with tiercel.field(...)" if callable(item) else ""
        msg = f"not a tiercel.Field (got {item!r}){hint}"
        raise PluginError(msg)
    check_field(item)


def _check_bundle(item: object) -> None:
    if not isinstance(item, RuleBundle):
        msg = f"not a tiercel.RuleBundle (got {item!r})"
        raise PluginError(msg)


def _check_stand_in(item: object) -> None:
    if not isinstance(item, StandIn):
        msg = f"not a tiercel.StandIn (got {item!r})"
        raise PluginError(msg)


def _check_source(item: object) -> None:
    check_component(item, kind="source", base=Source)
    assert isinstance(item, type)
    assert issubclass(item, Source)
    try:
        found: object = calls.within(calls.HOOK_SECONDS, item.abilities)
        if not isinstance(found, Abilities):
            raise calls.WrongType(found, "tiercel.Abilities")
    except Exception as error:
        msg = f"source {item.name}: abilities: {describe(error)}"
        raise PluginError(msg) from error


_CHECKS: Final[Mapping[str, Callable[[object], None]]] = {
    "tiercel_register_sources": _check_source,
    "tiercel_register_fields": _check_field,
    "tiercel_register_rules": _check_bundle,
    "tiercel_register_stand_ins": _check_stand_in,
}


def label(hook: str, item: Any) -> str:
    """Kind and name of something that a hook returned: ``output stdout``."""
    others = {"tiercel_register_fields": "field", "tiercel_register_rules": "rules", "tiercel_register_stand_ins": "stand-in"}
    kind = others.get(hook) or COMPONENTS[hook][0]
    return f"{kind} {item.name}"


def resolve_secret(manager: pluggy.PluginManager, reference: str, owners: Mapping[str, str]) -> str | None:
    """What the first plugin that knows it makes of a reference; None if none knows it.

    Args:
        manager: of all plugins.
        reference: from the configuration.
        owners: distributions of the plugins that may be asked, by the plugins' names.

    Raises:
        tiercel.UserError: a plugin says that it cannot be had, or fails. In what way is not shown: the error may hold the secret.
    """
    for implementation in reversed(manager.hook.tiercel_resolve_secret.get_hookimpls()):
        name = implementation.plugin_name
        if name not in owners:
            continue
        try:
            found: object = calls.within(calls.HOOK_SECONDS, implementation.function, reference)
        except UserError:
            raise
        except Exception as error:  # noqa: BLE001  a stranger's code; its error may hold the secret
            how = str(error) if isinstance(error, calls.Late) else type(error).__name__
            msg = f"{reference}: plugin {name} of {owners[name]} failed to resolve it ({how})"
            raise PluginError(msg) from None
        if found is not None and not isinstance(found, str):
            msg = f"{reference}: plugin {name} of {owners[name]} resolved it to no text (got {type(found).__name__})"
            raise PluginError(msg)
        if found is not None:
            return found
    return None


def describe(error: BaseException) -> str:
    """An error of a plugin on one line, with the last place in its code."""
    if isinstance(error, calls.Late | calls.WrongType):
        return str(error)
    place = ""
    trace = error.__traceback__
    while trace is not None:
        place = f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})"
        trace = trace.tb_next
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"
