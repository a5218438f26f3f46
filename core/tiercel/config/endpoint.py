"""The section ``endpoint``: where metrics and health can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["SCHEMA", "Endpoint", "parse"]

SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "default": {},
    "description": "HTTP listener for /metrics (Prometheus), /healthz and /readyz.",
    "properties": {
        "enabled": {"type": "boolean", "default": True, "description": "Whether there is one."},
        "address": {
            "type": "string",
            "minLength": 1,
            "default": "127.0.0.1",
            "description": "Address to listen on. Whoever can reach it can read names of rules and counters: there is no log-in.",
        },
        "port": {"type": "integer", "minimum": 0, "maximum": 65535, "default": 7765, "description": "TCP port; 0 for any free one."},
        "certificate": {
            "type": "string",
            "description": "Grant of a PEM file with a certificate chain: it speaks TLS.",
            "x-tiercel": "grant",
        },
        "key": {
            "type": "string",
            "description": "Grant of a PEM file with the private key, if it is in another file.",
            "x-tiercel": "grant",
        },
    },
    "additionalProperties": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The listener's options.

    Attributes:
        enabled: whether there is one.
        address: host name or IP address.
        port: TCP port; 0 for any free one.
        certificate: grant of the certificate chain, PEM; None for no TLS.
        key: grant of the private key, PEM; None if it is in the file of the certificate.
    """

    enabled: bool = True
    address: str = "127.0.0.1"
    port: int = 7765
    certificate: str | None = None
    key: str | None = None


def parse(value: Mapping[str, Any]) -> Endpoint:
    """The options of a valid section with defaults."""
    return Endpoint(**value)
