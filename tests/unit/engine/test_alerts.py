"""The quick way to an alert's text says what `render` says."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tiercel.engine.alerts import _Text
from tiercel.fields import FAILED, PENDING, FieldType, Quantifier
from tiercel.lang.ast import FieldRef
from tiercel.lang.formats import Format, FormatField
from tiercel.lang.render import render
from tiercel.lang.shapes import Shape

TEXT = st.text(st.characters(codec="utf-8") | st.just("\udcff"), max_size=8)
VALUES: dict[FieldType, st.SearchStrategy[Any]] = {
    FieldType.STRING: TEXT,
    FieldType.BYTES: st.binary(max_size=4),
    FieldType.BOOL: st.booleans(),
    FieldType.INT64: st.integers(-5, 1 << 40),
    FieldType.MODE: st.integers(0, 0o7777),
    FieldType.DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
    FieldType.IP: st.sampled_from([b"\x7f\0\0\1", bytes(16)]),
}


@st.composite
def outputs(draw: st.DrawFn) -> tuple[Format, dict[str, Any]]:
    parts: list[str | FormatField] = []
    values: dict[str, Any] = {}
    for number in range(draw(st.integers(1, 6))):
        if draw(st.booleans()):
            parts.append(draw(TEXT))
            continue
        kind = draw(st.sampled_from(list(VALUES)))
        several = draw(st.booleans())
        quantifier = draw(st.sampled_from(list(Quantifier))) if several else Quantifier.ONE
        value = st.tuples(VALUES[kind], VALUES[kind]) if several else VALUES[kind]
        key = f"f{number}"
        shape = Shape(kind, quantifier, is_list=several)
        parts.append(FormatField(FieldRef(key), key, shape, draw(st.sampled_from([0, 0, 3, 12]))))
        values[key] = draw(st.sampled_from([None, PENDING, FAILED]) | value)
    return Format("", tuple(parts), tuple(part for part in parts if not isinstance(part, str))), values


@given(outputs())
def test_an_output_taken_apart_says_the_same(case: tuple[Format, dict[str, Any]]) -> None:
    output, values = case
    text = _Text(output)
    assert text.of(values) == render(output, values)
    assert text.of(values) == render(output, values)  # nothing of the first is left
