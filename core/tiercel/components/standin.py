"""What a plugin says to rule files that require a plugin of Falco."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["StandIn"]

_VERSION: Final = re.compile(r"[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class StandIn:
    """A plugin of Falco in whose place a plugin stands: rule files that require it get the fields and events that they count on.

    Attributes:
        name: its name in ``required_plugin_versions``.
        version: ``x.y.z``, the version whose fields and events the plugin has; files that require the same major number and no later
            version load.
    """

    name: str
    version: str

    def __post_init__(self) -> None:
        """Refuses what no rule file could ask for."""
        if not self.name or not _VERSION.fullmatch(self.version):
            msg = f"stand-in for plugin {self.name!r}: bad name or version (got {self.version!r}, expected x.y.z)"
            raise ValueError(msg)
