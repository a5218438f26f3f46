"""A small catalogue with a field of every kind that the language tells apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tiercel.fields import Argument, Field, FieldType, Quantifier

__all__ = ["CATALOGUE", "FakeCatalogue"]


def _field(name: str, kind: FieldType, **more: object) -> Field:
    return Field(name=name, type=kind, description="", path=("x",), **more)  # type: ignore[arg-type]


FIELDS: Final = {
    field.name: field
    for field in (
        _field("evt.type", FieldType.STRING),
        _field("evt.num", FieldType.UINT64),
        _field("evt.time", FieldType.TIME),
        _field("evt.dir", FieldType.STRING),
        _field("evt.res", FieldType.INT64),
        _field("evt.small", FieldType.INT16),
        _field("evt.flags", FieldType.FLAGS),
        _field("evt.ratio", FieldType.DOUBLE),
        _field("evt.write", FieldType.BOOL),
        _field("evt.buffer", FieldType.BYTES),
        _field("evt.arg", FieldType.STRING, argument=Argument.KEY),
        _field("evt.arg.mode", FieldType.UINT32),
        _field(
            "evt.rawarg", FieldType.BY_PARAMETER, argument=Argument.KEY, argument_types={"uid": FieldType.UINT32, "mode": FieldType.MODE}
        ),
        _field("proc.name", FieldType.STRING),
        _field("proc.exe", FieldType.PATH),
        _field("proc.env", FieldType.STRING, argument=Argument.OPTIONAL_KEY),
        _field("proc.aname", FieldType.STRING, argument=Argument.OPTIONAL_INDEX, quantifier=Quantifier.ANY),
        _field("proc.apid", FieldType.INT64, argument=Argument.OPTIONAL_INDEX, quantifier=Quantifier.ANY),
        _field("proc.argv", FieldType.STRING, argument=Argument.INDEX),
        _field("user.uid", FieldType.UINT32),
        _field("fd.types", FieldType.STRING, is_list=True),
        _field("fd.sizes", FieldType.UINT64, is_list=True),
        _field("fd.port", FieldType.PORT, quantifier=Quantifier.EITHER, in_output=False),
        _field("fd.sport", FieldType.PORT),
        _field("fd.sip", FieldType.IP),
        _field("fd.cip", FieldType.IP),
        _field("fd.snet", FieldType.NET, in_output=False),
        _field("ka.verb", FieldType.STRING),
    )
}


class FakeCatalogue:
    """The same fields for every event source but "empty"."""

    def get(self, name: str, source: str) -> Field | None:
        return None if source == "empty" else FIELDS.get(name)

    def names(self, source: str) -> Iterable[str]:
        return () if source == "empty" else FIELDS


CATALOGUE: Final = FakeCatalogue()
