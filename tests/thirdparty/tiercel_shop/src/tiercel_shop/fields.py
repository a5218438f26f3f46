"""Fields of orders."""

from __future__ import annotations

from tiercel import Field, FieldType, field

__all__ = ["FIELDS"]

SHOP = frozenset({"shop"})


def stored(name: str, kind: FieldType, description: str) -> Field:
    """A field that the decoder fills."""
    return Field(name=f"shop.{name}", type=kind, path=(name,), sources=SHOP, description=description)


@field("shop.total", type=FieldType.UINT64, inputs=("shop.amount", "shop.price"), sources=SHOP, description="Cents of the whole order.")
def total(amount: int, price: int) -> int:
    """Pieces times cents."""
    return amount * price


FIELDS = [
    Field(name="evt.type", type=FieldType.STRING, path=("type",), sources=SHOP, description="order or refund."),
    stored("user", FieldType.STRING, "Who ordered."),
    stored("item", FieldType.STRING, "What was ordered."),
    stored("amount", FieldType.UINT64, "Number of pieces."),
    stored("price", FieldType.UINT64, "Cents for a piece."),
    Field(name="evt.raw", type=FieldType.STRING, path=("text",), sources=SHOP, description="The record, JSON."),
    total,
]
