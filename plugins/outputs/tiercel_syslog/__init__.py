"""The output `syslog`: alerts as messages of RFC 5424, to the local daemon or to a collector by UDP, TCP or TLS."""

from __future__ import annotations

from collections.abc import Iterable

from tiercel import Output, hookimpl
from tiercel_syslog.output import Syslog

__all__ = ["Syslog", "tiercel_register_outputs"]


@hookimpl
def tiercel_register_outputs() -> Iterable[type[Output]]:
    """The output."""
    return [Syslog]
