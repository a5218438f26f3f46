"""Whether an output keeps the promises of `tiercel.Output`: checks for authors, one test each (docs/writing-plugins.md shows how)."""

from __future__ import annotations

from tiercel.testing.outputs.bench import Destination
from tiercel.testing.outputs.checks import CHECKS, run

__all__ = ["CHECKS", "Destination", "run"]
