"""Who works where: the enricher `crew`, its cached field, and the output `ledger`."""

from __future__ import annotations

from collections.abc import Iterable

from tiercel import Enricher, Field, Output, hookimpl
from tiercel_crew.directory import Crew, department
from tiercel_crew.ledger import Ledger


@hookimpl
def tiercel_register_enrichers() -> Iterable[type[Enricher]]:
    """Asks the directory server."""
    return [Crew]


@hookimpl
def tiercel_register_fields() -> Iterable[Field]:
    """What it has learnt."""
    return [department]


@hookimpl
def tiercel_register_outputs() -> Iterable[type[Output]]:
    """The ledger."""
    return [Ledger]
