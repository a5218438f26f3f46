"""Projects a condition on what can be judged: every other check becomes true, in either polarity.

The projection of a condition is implied by it, so an event for which the projection is false cannot match.
"""

from __future__ import annotations

from collections.abc import Callable

from tiercel.engine.tree import YES, Tree, transform
from tiercel.lang.ast import Check

__all__ = ["project"]


def project(tree: Tree[Check], keep: Callable[[Check], bool], *, done: dict[Tree[Check], Tree[Check]] | None = None) -> Tree[Check]:
    """The projection of `tree` on the checks for which `keep` is true; `done` has the projections so far."""
    return transform(tree, lambda leaf: leaf if keep(leaf.check) else YES, done)
