"""Orders of a web shop: the event source `shop`, its fields, and rules about it."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files

from tiercel import Decoder, Field, RuleBundle, Source, hookimpl
from tiercel_shop.decoder import OrderDecoder
from tiercel_shop.fields import FIELDS
from tiercel_shop.source import Queue


@hookimpl
def tiercel_register_sources() -> Iterable[type[Source]]:
    """The queue."""
    return [Queue]


@hookimpl
def tiercel_register_decoders() -> Iterable[type[Decoder]]:
    """The decoder of its records."""
    return [OrderDecoder]


@hookimpl
def tiercel_register_fields() -> Iterable[Field]:
    """What rules can read of them."""
    return FIELDS


@hookimpl
def tiercel_register_rules() -> Iterable[RuleBundle]:
    """Rules."""
    return [RuleBundle("shop", files("tiercel_shop.rules"), summary="What a shop wants to know of its orders.")]
