"""The code of a guard: a function of exactly as many arguments as what it guards; packing and unpacking them costs more than the rest.

It is made of the syntax tree of one template, in which only the number of arguments varies.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeAlias

from tiercel.fields import FAILED, PENDING

__all__ = ["Use", "guarded"]

Use: TypeAlias = Callable[[Callable[..., Any]], None]
"""Puts another function in the place of the one that a guarded function calls."""
_Make: TypeAlias = Callable[..., tuple[Callable[..., Any], Use]]

_TEMPLATE: Final = """
def make(function, types, checked, raised):
    def use(other):
        nonlocal function
        function = other
    def call():
        try:
            value = function()
        except (Exception, SystemExit) as error:
            return raised(error)
        return value if type(value) in types else checked(value)
    return call, use
"""
_MISSING: Final = "if name is None:\n    return None"
_UNKNOWN: Final = "if name is PENDING or name is FAILED:\n    return name"


def guarded(
    function: Callable[..., Any], arguments: int, *,
    values: bool, types: frozenset[type], checked: Callable[[Any], Any], raised: Callable[[BaseException], Any],
) -> tuple[Callable[..., Any], Use]:  # fmt: skip
    """A function that never raises, and what exchanges the function in it (a variable of a closure is what Python reads fastest).

    Args:
        function: the function of a plugin.
        arguments: how many it takes.
        values: they are values of fields: it is not called if one is missing or unknown.
        types: types of results that are returned as they are.
        checked: what is returned for another result.
        raised: what is returned for an exception.
    """
    return _maker(arguments, values)(function, types, checked, raised)


@lru_cache(maxsize=64)
def _maker(arguments: int, values: bool) -> _Make:  # noqa: FBT001  private, and cached by it
    module = ast.parse(_TEMPLATE)
    names = [f"a{number}" for number in range(arguments)]
    inner: Any = next(node for node in ast.walk(module) if isinstance(node, ast.FunctionDef) and node.name == "call")
    inner.args.args = [ast.arg(name) for name in names]
    inner.body[0].body[0].value.args = [ast.Name(name, ast.Load()) for name in names]
    if values:  # a missing one counts before an unknown one
        inner.body[:0] = [_Renamed(name).visit(ast.parse(text).body[0]) for text in (_MISSING, _UNKNOWN) for name in names]
    space: dict[str, Any] = {"PENDING": PENDING, "FAILED": FAILED}
    exec(compile(ast.fix_missing_locations(module), "<guard>", "exec"), space)  # noqa: S102  our own template
    make: _Make = space["make"]
    return make


class _Renamed(ast.NodeTransformer):
    """Gives the name in a check its own."""

    def __init__(self, name: str) -> None:
        self._name = name

    def visit_Name(self, node: ast.Name) -> ast.Name:
        """See `ast.NodeTransformer`."""
        return ast.Name(self._name, node.ctx) if node.id == "name" else node
