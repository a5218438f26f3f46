"""Cases that Tiercel does not follow, one by one, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["EXCEPTIONS"]

EXCEPTIONS: Final[Mapping[str, str]] = MappingProxyType({})
"""Case -> reason."""
