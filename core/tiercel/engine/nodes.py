"""Short ways to build the `ast` nodes of generated functions, and to compile them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

__all__ = [
    "Namespace", "Value", "all_true", "any_true", "call", "compare", "constant", "is_type", "load", "method", "negation", "store",
]  # fmt: skip

Value: TypeAlias = "Callable[[], ast.expr]"
"""Gives an expression for the same value as often as it is asked; each node is used once."""


def load(name: str) -> ast.expr:
    """The value of a name."""
    return ast.Name(name, ast.Load())


def store(name: str) -> ast.Name:
    """A name as target."""
    return ast.Name(name, ast.Store())


def constant(value: Any) -> ast.expr:
    """A constant; tuples and frozensets of constants too."""
    return ast.Constant(value)


def call(function: ast.expr | str, *arguments: ast.expr) -> ast.expr:
    """A call with positional arguments."""
    return ast.Call(load(function) if isinstance(function, str) else function, list(arguments), [])


def method(value: ast.expr, name: str, *arguments: ast.expr) -> ast.expr:
    """A call of a method."""
    return ast.Call(ast.Attribute(value, name, ast.Load()), list(arguments), [])


def compare(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ast.expr:
    """A comparison of two values."""
    return ast.Compare(left, [operator], [right])


def is_type(value: ast.expr, *types: str) -> ast.expr:
    """Whether the type of a value is exactly one of those named."""
    if len(types) == 1:
        return compare(call("type", value), ast.Is(), load(types[0]))
    return compare(call("type", value), ast.In(), ast.Tuple([load(name) for name in types], ast.Load()))


def negation(value: ast.expr) -> ast.expr:
    """``not value``."""
    return ast.UnaryOp(ast.Not(), value)


def all_true(values: Sequence[ast.expr]) -> ast.expr:
    """Conjunction of one or more."""
    return values[0] if len(values) == 1 else ast.BoolOp(ast.And(), list(values))


def any_true(values: Sequence[ast.expr]) -> ast.expr:
    """Disjunction of one or more."""
    return values[0] if len(values) == 1 else ast.BoolOp(ast.Or(), list(values))


class Namespace:
    """What generated functions refer to by name: matchers, guarded functions, memos. Equal literals share one matcher."""

    def __init__(self, **values: Any) -> None:
        self._values: dict[str, Any] = dict(values)
        self._names: dict[Any, str] = {}

    def name(self, key: tuple[Any, ...], make: Callable[[], Any]) -> str:
        """Name of the object for `key`, whose first element says what it is; made at the first call."""
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = f"{key[0]}_{len(self._names)}"
            self._values[name] = make()
        return name

    def add(self, kind: str, value: Any) -> str:
        """Name of an object that is not shared."""
        return self.name((kind, object()), lambda: value)

    def function(self, name: str, parameter: str, body: Sequence[ast.stmt]) -> Callable[[Any], Any]:
        """Compiles a function of one parameter."""
        arguments = ast.arguments(posonlyargs=[], args=[ast.arg(parameter)], kwonlyargs=[], kw_defaults=[], defaults=[])
        definition = ast.FunctionDef(name, arguments, list(body), [])
        module = _placed(ast.Module([definition], []))
        scope: dict[str, Any] = {}
        exec(compile(module, f"<tiercel {name}>", "exec"), self._values, scope)  # noqa: S102  built from nodes, not from text
        function: Callable[[Any], Any] = scope[name]
        return function

    def expression(self, name: str, parameter: str, value: ast.expr) -> Callable[[Any], Any]:
        """Compiles a function of one parameter that returns an expression."""
        return self.function(name, parameter, [ast.Return(value)])


def _placed(root: ast.Module) -> ast.Module:
    """The tree, each node with a place in the source, which `compile` asks for. `ast.fix_missing_locations` takes several times as long."""
    nodes: list[ast.AST] = [root]
    while nodes:
        node = nodes.pop()
        for value in vars(node).values():
            if isinstance(value, ast.AST):
                nodes.append(value)
            elif type(value) is list:
                nodes.extend(each for each in value if isinstance(each, ast.AST))
        node.lineno = node.end_lineno = 1  # type: ignore[attr-defined]
        node.col_offset = node.end_col_offset = 0  # type: ignore[attr-defined]
    return root
