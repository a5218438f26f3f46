"""The output `http`: alerts by POST, one or a batch in a request."""

from __future__ import annotations

from collections.abc import Iterable

from tiercel import Output, hookimpl
from tiercel_http.output import Http

__all__ = ["Http", "tiercel_register_outputs"]


@hookimpl
def tiercel_register_outputs() -> Iterable[type[Output]]:
    """The output."""
    return [Http]
