"""Generates functions of the event from conditions, as syntax trees.

A value that is read more than once is kept in a local: the generator knows after each part of a condition which values have been
read when it was true, and which when it was false.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeAlias

from tiercel.engine.groups import Groups
from tiercel.engine.guard import FieldGuard
from tiercel.engine.literals import literals
from tiercel.engine.nodes import Namespace, all_true, any_true, call, constant, is_type, load, negation, store
from tiercel.engine.quantify import any_of, each_of, exists, pair_any, pair_each, pair_may, undecided
from tiercel.engine.relations import relation
from tiercel.engine.single import predicate, single, types_of
from tiercel.engine.text import encoded, lower
from tiercel.engine.transformers import present, transformer
from tiercel.engine.tree import Constant, Every, Leaf, Tree, leaves
from tiercel.errors import UserError
from tiercel.fields import Argument, Field, Quantifier, Unknown
from tiercel.lang.ast import Call, Check, FieldRef, ListValue, NumberValue, Operand, TextValue, reads
from tiercel.lang.shapes import VALUE_OF, Shape, shape_of

__all__ = ["Body", "Generator", "Known"]

_EVENT: Final = "event"
_PYTHON: Final = {"str": str, "bytes": bytes, "bool": bool, "int": int, "float": float}

Known: TypeAlias = frozenset[Operand]


class Generator:
    """Makes functions for one event source; they share matchers and the guards of fields.

    Attributes:
        guards: guard of each computed field that generated code calls.
        failed_fields: number of fields that failed so far.
    """

    def __init__(self, groups: Groups) -> None:
        self.guards: dict[str, FieldGuard] = {}
        self.failed_fields = 0
        self.groups = groups
        self.names = Namespace(
            Unknown=Unknown, encoded=encoded, lower=lower, exists=exists,
            any_of=any_of, each_of=each_of, pair_any=pair_any, pair_each=pair_each, pair_may=pair_may,
            undecided=undecided, present=present,
        )  # fmt: skip
        self._conditions: dict[tuple[Tree[Check], bool], Callable[[Any], bool]] = {}
        self._values: dict[Operand, Callable[[Any], Any]] = {}
        self._prepared: set[FieldRef | Leaf[Check]] = set()

    def prepare(self, tree: Tree[Check]) -> None:
        """Makes sure that the fields of a condition can be read, before it is compiled.

        Raises:
            tiercel.UserError: a field does not accept its argument.
        """
        for leaf in leaves(tree):
            if leaf not in self._prepared:
                self._prepared.add(leaf)
                for ref in (*reads(leaf.check.left), *reads(leaf.check.right)):
                    if ref not in self._prepared:
                        self._prepared.add(ref)
                        Body(self, may=False).value(ref, set())

    def condition(self, tree: Tree[Check], *, may: bool) -> Callable[[Any], bool]:
        """A function of the event: the condition holds, or with `may`, it may hold once what is unknown is known."""
        known = self._conditions.get((tree, may))
        if known is None:
            body = Body(self, may=may)
            value, _, _ = body.condition(tree, frozenset())
            known = self.names.expression("may_match" if may else "matches", _EVENT, body.finish(value))
            self._conditions[tree, may] = known
        return known

    def value(self, operand: Operand) -> Callable[[Any], Any]:
        """A function of the event that gives the value of a field or transformer."""
        known = self._values.get(operand)
        if known is None:
            body = Body(self, may=False)
            known = self._values[operand] = self.names.expression("value", _EVENT, body.finish(body.value(operand, set())))
        return known

    def key(self, raw: Sequence[FieldRef]) -> ast.expr:
        """An expression for the values of raw fields: of one field its value, of several a tuple."""
        body = Body(self, may=False)
        values = [body.value(ref, set()) for ref in raw]
        key: ast.expr = body.finish(values[0] if len(values) == 1 else ast.Tuple(values, ast.Load()))
        return key

    def guard(self, field: Field) -> FieldGuard:
        """The guard of a field, shared by all functions of this source."""
        return self.guards.setdefault(field.name, FieldGuard(field, self._note_failure))

    def _note_failure(self) -> None:
        self.failed_fields += 1


class Body:
    """One function under construction.

    Attributes:
        kept: conditions whose outcome is in a local.
    """

    def __init__(self, generator: Generator, *, may: bool, bound: Iterable[FieldRef] = ()) -> None:
        self._generator = generator
        self._names = generator.names
        self._may = may
        self._locals: dict[Operand, str] = {}
        self._bound = frozenset(bound)
        self._again: set[str] = set()
        self.kept: dict[Tree[Check], str] = {}

    def local(self, operand: Operand) -> str:
        """Name of the local that holds the value of an operand."""
        return self._locals.setdefault(operand, f"v{len(self._locals)}")

    def finish(self, node: Any) -> Any:
        """The node without the locals that nothing reads again."""
        return _without_locals(node, self._again)

    def condition(self, tree: Tree[Check], known: Known) -> tuple[ast.expr, Known, Known]:
        """Expression of a condition, and what has been read after it when it was true and when it was false."""
        if isinstance(tree, Constant):
            return constant(tree.value), known, known
        if tree in self.kept:
            return load(self.kept[tree]), known, known
        if isinstance(tree, Leaf):
            seen = set(known)
            value = self._leaf(tree, seen)
            return value, frozenset(seen), frozenset(seen)
        conjunction = isinstance(tree, Every)
        values, left_early = [], None
        for part in tree.parts:
            value, true, false = self.condition(part, known)
            values.append(value)
            known, early = (true, false) if conjunction else (false, true)
            left_early = early if left_early is None else left_early & early
        left_early = left_early if left_early is not None else known
        if conjunction:
            return all_true(values), known, left_early
        return any_true(values), left_early, known

    def value(self, operand: Operand, seen: set[Operand]) -> ast.expr:
        """Expression of an operand's value; `seen` are the values read before, and gets what this one reads."""
        if isinstance(operand, Call) and operand.name == VALUE_OF:
            operand = _inner(operand)
        name = self.local(operand)
        if operand in seen or operand in self._bound:
            self._again.add(name)
            return load(name)
        if isinstance(operand, FieldRef):
            value = self._field(operand, seen)
        elif next(reads(operand), None) is None:
            return constant(self._names.expression("value", _EVENT, self._transformed(operand, seen))(None))
        else:
            value = self._transformed(operand, seen)
        seen.add(operand)
        return ast.NamedExpr(store(name), value)

    def _transformed(self, operand: Call, seen: set[Operand]) -> ast.expr:
        """Expression of a transformer's value."""
        last = operand.arguments[-1]
        types = tuple(self._shape(item).type for item in (last.items if isinstance(last, ListValue) else (last,)))
        key = ("transformer", operand.name, operand.argument, types if operand.name == "join" else ())
        name = self._names.name(key, lambda: transformer(operand.name, operand.argument, types))
        return call(name, *(self._argument(each, seen) for each in operand.arguments))

    def _argument(self, argument: FieldRef | Call | ListValue | TextValue | NumberValue, seen: set[Operand]) -> ast.expr:
        """Expression of what a transformer gets."""
        if isinstance(argument, TextValue | NumberValue):
            return constant(argument.text)
        if isinstance(argument, ListValue):
            return ast.Tuple([self._argument(item, seen) for item in argument.items], ast.Load())
        value = self.value(argument, seen)
        return call("present", value) if isinstance(argument, FieldRef) and self._shape(argument).is_list else value

    def _shape(self, operand: FieldRef | Call | ListValue | TextValue | NumberValue) -> Shape:
        return shape_of(operand, self._generator.groups.lookup)

    def _field(self, ref: FieldRef, seen: set[Operand]) -> ast.expr:
        """Expression of a field that has not been read yet."""
        field, ref = self._generator.groups.lookup(ref)
        if field.path is not None:
            if ref.argument is not None:
                msg = f"field {ref.name}[{ref.argument}]: the field has a path and takes no argument; its plugin should give it a getter"
                raise UserError(msg)
            value = load(_EVENT)
            for attribute in field.path:
                value = ast.Attribute(value, attribute, ast.Load())
            return value
        guard = self._generator.guard(field)
        if field.function is not None:
            function = field.function
            name = self._names.name(("function", ref.name), lambda: guard.of_values(function))
            return call(name, *(self.value(FieldRef(each), seen) for each in field.inputs))
        name = self._names.name(("getter", ref), lambda: guard.of_event(_getter(field, ref)))
        return call(name, load(_EVENT))

    # ---------------------------------------------------------------------------------------------------------- leaves

    def _leaf(self, leaf: Leaf[Check], seen: set[Operand]) -> ast.expr:
        """Expression for a leaf. In may-mode an unknown value satisfies it in either polarity."""
        check = leaf.check
        if check.operator != "exists" and isinstance(check.right, Call):
            return self._pair(leaf, check.right, seen)
        first = self.value(check.left, seen) if self._may else None
        test = self._test(check, seen)
        if leaf.negated:
            test = negation(test)
        if first is None:
            return test
        single_value = self._shape(check.left).is_single
        return any_true([is_type(first, "Unknown") if single_value else call("undecided", first), test])

    def _test(self, check: Check, seen: set[Operand]) -> ast.expr:
        """Expression for a check against literals: false if the value is missing or unknown."""
        shape = self._shape(check.left)

        def value() -> ast.expr:
            return self.value(check.left, seen)

        if check.operator == "exists":
            return call("exists", value())
        wanted = literals(check, shape.type)
        if shape.is_single:
            return single(shape.type, check.operator, wanted, modifier=check.modifier, value=value, names=self._names)
        name = predicate(shape.type, check.operator, wanted, modifier=check.modifier, names=self._names)
        return call("each_of" if _needs_all(check, shape.quantifier) else "any_of", value(), load(name))

    def _pair(self, leaf: Leaf[Check], right: Call, seen: set[Operand]) -> ast.expr:
        """Expression for a check of a field against a field."""
        check = leaf.check
        shape = self._shape(check.left)
        types = tuple(_PYTHON[name] for name in types_of(shape.type))
        decide = relation(shape.type, check.operator, types)
        if not (shape.is_single and self._shape(right).is_single):
            decide = _Many(decide, pair_each if _needs_all(check, shape.quantifier) else pair_any)
        if leaf.negated:
            decide = _Negated(decide)
        name = self._names.name(("relation", check, leaf.negated), lambda: decide)
        sides = [self.value(check.left, seen), self.value(right, seen)]
        return call("pair_may", *sides, load(name)) if self._may else call(name, *sides)


def _getter(field: Field, ref: FieldRef) -> Callable[[Any], Any]:
    """The getter of a field, with its argument bound."""
    getter = field.getter
    assert getter is not None
    if field.argument is Argument.NONE:
        return getter
    bound: Callable[[Any], Any]
    try:
        bound = getter(ref.argument)
    except (ValueError, LookupError) as error:
        msg = f"field {ref.name}[{ref.argument}]: the argument is not accepted ({error})"
        raise UserError(msg) from error
    return bound


class _Many:
    """A relation between fields with several values."""

    def __init__(self, decide: Callable[[Any, Any], bool], quantify: Callable[..., bool]) -> None:
        self._decide = decide
        self._quantify = quantify

    def __call__(self, left: Any, right: Any) -> bool:
        return self._quantify(left, right, self._decide)


class _Negated:
    """The opposite of a relation."""

    def __init__(self, decide: Callable[[Any, Any], bool]) -> None:
        self._decide = decide

    def __call__(self, left: Any, right: Any) -> bool:
        return not self._decide(left, right)


def _without_locals(root: ast.AST, needed: set[str]) -> ast.AST:
    """The tree with ``(v := x)`` replaced by ``x`` where no one reads v."""

    def inner(value: ast.AST) -> ast.AST:
        while isinstance(value, ast.NamedExpr) and value.target.id not in needed:
            value = value.value
        nodes.append(value)
        return value

    nodes: list[ast.AST] = []
    root = inner(root)
    while nodes:
        node = nodes.pop()
        for name, value in vars(node).items():
            if isinstance(value, ast.AST):
                setattr(node, name, inner(value))
            elif type(value) is list:
                value[:] = [inner(each) if isinstance(each, ast.AST) else each for each in value]
    return root


def _inner(operand: Call) -> Operand:
    """The field that ``val(...)`` stands for."""
    inner = operand.arguments[0]
    assert isinstance(inner, FieldRef | Call)
    return inner


def _needs_all(check: Check, quantifier: Quantifier) -> bool:
    """Whether all values must satisfy a check on several: ``!=`` on both ends of a connection, ``in`` on a list."""
    if quantifier is Quantifier.ANY:
        return False
    if quantifier is Quantifier.EITHER:
        return check.operator == "!="
    return check.operator == "in"
