"""Names of rules where not every character may stand: in metrics."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["metric_name"]

_OTHER: Final = re.compile("[^A-Za-z0-9:]+")


def metric_name(rule: str) -> str:
    """The name of a rule in metrics, as Falco writes it: runs of anything but letters, digits and ``:`` are one ``_``, at the end none."""
    return _OTHER.sub("_", rule).removesuffix("_")
