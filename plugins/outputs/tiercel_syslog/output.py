"""The component: options, the life of the connection, what is counted."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Self

from tiercel import Alert, Context, Output, Progress, Retry, Stability, Tls, UserError
from tiercel_syslog.connection import Way, open_datagrams, open_stream, open_unix
from tiercel_syslog.message import FACILITIES, SMALLEST, Messages

__all__ = ["Syslog"]

PORTS: Final = {"udp": 514, "tcp": 514, "tls": 6514}
"""RFC 5426, section 3.3; RFC 6587 names none for TCP, custom does; RFC 5425, section 4.1."""
LIMITS: Final = {"unix": 8192, "udp": 2048, "tcp": 8192, "tls": 8192}
"""Bytes of a message that receivers should take (RFC 5426, 3.2; RFC 5425, 4.3.1), and rsyslog's limit, which is 8 KiB."""
PIECE: Final = 100
"""Messages after which it is found out whether they have arrived; so many may come twice after a failure."""
DOCUMENTATION_ENTERPRISE: Final = 32473
"""Private enterprise number for documentation (RFC 5612): Tiercel has none."""


class Syslog(Output):
    """Sends a message per alert. The connection is made with the first batch, and again after a failure."""

    name = "syslog"
    summary = "Sends alerts to syslog: the local daemon, or a collector by UDP, TCP or TLS."
    api_version = "1.0"
    stability = Stability.BETA
    config_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "properties": {
            "transport": {
                "enum": ["unix", "udp", "tcp", "tls"],
                "default": "unix",
                "description": "Way to the receiver: the socket of the local daemon, or the network. udp loses what does not arrive.",
            },
            "path": {"type": "string", "pattern": "^/", "default": "/dev/log", "description": "For unix: the daemon's datagram socket."},
            "host": {"type": "string", "minLength": 1, "description": "For udp, tcp, tls: name or address of the receiver."},
            "port": {
                "type": "integer",
                "minimum": 1,
                "maximum": 65535,
                "description": "For udp, tcp, tls: its port. By default 514, for tls 6514.",
            },
            "tls": Tls.SCHEMA,
            "header": {
                "enum": ["rfc5424", "local"],
                "description": "Form of the messages: RFC 5424 with structured data, or what syslog(3) writes. By default local for unix, "
                "because journald and rsyslog expect that there, and rfc5424 for the rest.",
            },
            "facility": {"enum": list(FACILITIES), "default": "user", "description": "Facility of the messages."},
            "app_name": {
                "type": "string",
                "pattern": "^[!-~]{1,48}$",
                "default": "tiercel",
                "description": "Name of the program that the messages come from.",
            },
            "format": {"type": "string", "default": "text", "description": "Name of the formatter of the text.", "x-tiercel": "formatter"},
            "fields": {"type": "boolean", "default": True, "description": "rfc5424: whether the structured data have the alert's fields."},
            "enterprise_number": {
                "type": "integer",
                "minimum": 0,
                "maximum": 4294967295,
                "default": DOCUMENTATION_ENTERPRISE,
                "description": "rfc5424: private enterprise number behind the names of structured data, tiercel@32473.",
            },
            "bom": {
                "type": "boolean",
                "default": True,
                "description": "rfc5424: whether text that is not ASCII begins with a byte order mark, as the RFC wants it.",
            },
            "max_size_bytes": {
                "type": "integer",
                "minimum": SMALLEST,
                "maximum": 65000,
                "description": "Longer messages are shortened, and counted. By default 2048 for udp, 8192 for the rest.",
            },
            "timeout_secs": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 600,
                "default": 10,
                "description": "Longest time to connect, and in which the receiver takes nothing.",
            },
        },
        "additionalProperties": False,
    }

    def __init__(self, config: Mapping[str, Any], context: Context) -> None:
        transport = self._transport = config["transport"]
        if transport != "unix" and "host" not in config:
            msg = f"{context.component_id}: transport {transport} needs the option host"
            raise UserError(msg)
        for option, transports in {"host": PORTS, "port": PORTS, "tls": ("tls",)}.items():
            if option in config and transport not in transports:
                others = ", ".join(transports)
                msg = f"{context.component_id}: transport {transport} has no option {option}; remove it, or choose one of {others}"
                raise UserError(msg)
        self._path, self._host = config["path"], config.get("host", "")
        self._port = config.get("port", PORTS.get(transport, 0))
        self._tls = Tls(config.get("tls", {}), context) if transport == "tls" else None
        self._seconds = config["timeout_secs"]
        self._messages = Messages(
            formatter=context.formatters[config["format"]],
            facility=FACILITIES.index(config["facility"]),
            app_name=config["app_name"],
            process=os.getpid(),
            enterprise=config["enterprise_number"],
            with_fields=config["fields"],
            bom=config["bom"],
            local=config.get("header", "local" if transport == "unix" else "rfc5424") == "local",
            limit=config.get("max_size_bytes", LIMITS[transport]),
        )
        self._way: Way | None = None
        self._progress = Progress()
        self._truncated = 0

    @classmethod
    def from_config(cls, config: Mapping[str, Any], context: Context) -> Self:
        """Checks which options go together."""
        return cls(config, context)

    async def open(self) -> None:
        """Reads certificates and keys, so that mistakes show at the start; nothing is connected. Raises `tiercel.UserError`."""
        if self._tls is not None:
            await asyncio.to_thread(self._tls.context)

    async def deliver(self, batch: Sequence[Alert]) -> None:
        """Sends all messages of the batch. After a failure those that may not have arrived are sent again, over a new connection."""
        left = self._progress.left(batch)
        for start in range(0, len(left), PIECE):
            await self._send(left[start : start + PIECE])
        self._progress.finish()

    async def _send(self, alerts: Sequence[Alert]) -> None:
        made = [self._messages.make(alert) for alert in alerts]
        try:
            if self._way is None:
                async with asyncio.timeout(self._seconds):
                    self._way = await self._connect()
            await self._way.send([message for message, _ in made], seconds=self._seconds)
        except BaseException as error:  # half a message may be on its way, also when this task ends
            await self.close()
            if isinstance(error, OSError):
                msg = f"{self._receiver}: {Tls.explain(error)}"
                raise Retry(msg) from error
            if isinstance(error, UserError):
                raise Retry(str(error)) from error
            raise
        self._truncated += sum(shortened for _, shortened in made)
        self._progress.accept(alerts)

    @property
    def _receiver(self) -> str:
        return self._path if self._transport == "unix" else f"{self._transport} {self._host}:{self._port}"

    async def _connect(self) -> Way:
        if self._transport == "unix":
            return await open_unix(self._path)
        if self._transport == "udp":
            return await open_datagrams(self._host, self._port)
        context = name = None
        if self._tls is not None:  # read anew: certificates are renewed while we run
            context, name = await asyncio.to_thread(self._tls.context), self._tls.server_name
        return await open_stream(self._host, self._port, context=context, server_name=name or self._host)

    def counters(self) -> Mapping[str, int]:
        """``truncated``: messages that were shortened."""
        return {"truncated": self._truncated}

    async def close(self) -> None:
        """Hangs up."""
        if self._way is not None:
            self._way.close()
        self._way = None
