"""Fields of plugins: the `field` decorator for pure functions, and `Extractor` to group what a plugin registers.

The first plugin of most authors is this::

    from tiercel import FieldType, field, hookimpl

    @field("demo.exe_depth", type=FieldType.UINT64, inputs=("proc.exepath",), description="Directories above the executable.")
    def exe_depth(exepath: str) -> int:
        return exepath.count("/") - 1

    @hookimpl
    def tiercel_register_fields():
        return [exe_depth]

The inputs say what has to be collected and when the value can change, so a condition on ``demo.exe_depth`` is judged where one on
``proc.exepath`` is: once per process, in the kernel for all its events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tiercel.fields import ANY_SOURCE, ChangePoint, FactGroup, Field, FieldType, Quantifier

__all__ = ["field"]


def field(
    name: str,
    *,
    type: FieldType,  # noqa: A002  the name that Falco's users and the field lists know
    inputs: tuple[str, ...],
    description: str,
    sources: frozenset[str] | set[str] = frozenset({ANY_SOURCE}),
    is_list: bool = False,
    volatile: bool = False,
) -> Callable[[Callable[..., Any]], Field]:
    """Makes a field of a pure function.

    Args:
        name: dotted name; the first part is the plugin's own name space.
        type: type of the result (`FieldType` lists the Python types).
        inputs: names of the fields whose values the function takes, in order. It is not called if one of them is missing.
        description: one sentence.
        sources: event sources that have the field; by default those that have its inputs.
        is_list: the function returns a tuple.
        volatile: the result can change without its inputs (it reads a cache, a clock): never judged ahead.

    Returns:
        A decorator that turns the function into a `Field`; return that from ``tiercel_register_fields``.
    """

    def make(function: Callable[..., Any]) -> Field:
        return Field(
            name=name,
            type=type,
            description=description,
            inputs=inputs,
            function=function,
            sources=frozenset(sources),
            is_list=is_list,
            quantifier=Quantifier.ONE,
            # Group and change points of a computed field come from its inputs: the catalogue fills them in (NEVER: none of its own).
            group=FactGroup.REST if volatile else FactGroup.PROCESS,
            changes=ChangePoint.TIME if volatile else ChangePoint.NEVER,
        )

    return make
