"""Builds one component of a plugin: what its class does wrong is an error that names the component and the plugin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from tiercel.components.base import Component
from tiercel.components.output import Formatter
from tiercel.errors import PluginError, UserError
from tiercel.plugins import calls
from tiercel.plugins.hooks import COMPONENTS, describe

if TYPE_CHECKING:
    from tiercel.alert import Alert
    from tiercel.components.base import Context
    from tiercel.registry import ComponentRegistry

__all__ = ["BuildError", "FormatError", "Named", "built"]

C = TypeVar("C", bound=Component)


class BuildError(PluginError):
    """A plugin failed to build a component: not a mistake in the configuration."""


class FormatError(Exception):
    """A formatter failed on an alert."""


class Named(Formatter):
    """Another formatter, whose failures have its name: in an output they would look like that one's.

    Args:
        formatter: the formatter.
        owner: distribution of its plugin.
    """

    def __init__(self, formatter: Formatter, owner: str) -> None:
        self._format = formatter.format
        self._who = f"formatter {type(formatter).name} of {owner}"

    def format(self, alert: Alert) -> bytes:
        """See `Formatter`.

        Raises:
            FormatError: it raised, or returned something else.
        """
        try:
            data: object = self._format(alert)
        except Exception as error:
            msg = f"{self._who} failed: {describe(error)}"
            raise FormatError(msg) from error
        if type(data) is bytes:
            return data
        msg = f"{self._who} failed: {calls.WrongType(data, 'bytes')}"
        raise FormatError(msg)


def built(registry: ComponentRegistry[C], cls: type[C], options: Mapping[str, Any], context: Context) -> C:
    """Calls ``from_config``.

    Args:
        registry: knows the owner of the class.
        cls: a class of it.
        options: valid, with defaults and secrets.
        context: for the component.

    Raises:
        tiercel.UserError: the component refuses its options.
        BuildError: it raised something else, returned something else, or took too long.
    """
    base: type[Component] = next(base for kind, base in COMPONENTS.values() if kind == registry.kind)
    try:
        found: object = calls.within(calls.FROM_CONFIG_SECONDS, cls.from_config, options, context)
        if not isinstance(found, base):
            raise calls.WrongType(found, f"a tiercel.{base.__name__}")
    except UserError:
        raise
    except Exception as error:
        owner = registry.owner(cls.name)
        msg = f"{registry.kind} {context.component_id}: from_config of {owner} failed: {describe(error)}"
        raise BuildError(msg) from error
    return found  # type: ignore[return-value]  # checked against the kind; narrower only by what the class promises
