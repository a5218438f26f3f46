"""The HTTP listener for metrics and health, on the asyncio loop.

It answers GET and HEAD of a few fixed paths and closes the connection, no more: that takes some lines of the standard library, where
aiohttp's server would cost the sensor 15 MB of memory (docs/design.md). Requests are bounded in size, time and number.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from tiercel.components.tls import InMemory
from tiercel.errors import UserError

if TYPE_CHECKING:
    from tiercel.components.base import Host
    from tiercel.config.endpoint import Endpoint as Settings

__all__ = ["Answer", "Endpoint"]

MAX_REQUEST: Final = 8192
"""Bytes of a request with its headers."""
PATIENCE: Final = 5.0
"""Seconds from the connection to the end of the answer."""
MAX_CONNECTIONS: Final = 16
"""Connections at a time; for one more, the one that has been open for the longest gives way."""
MAX_PEM: Final = 1 << 20
RETRY: Final = 30.0
"""Seconds between two attempts to listen."""

_log = logging.getLogger("tiercel.endpoint")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path gives.

    Attributes:
        body: the content.
        content_type: its media type.
        status: HTTP's status.
    """

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK


class Endpoint:
    """The listener."""

    def __init__(self, routes: Mapping[str, Callable[[], Answer]], host: Host) -> None:
        """Does not listen yet.

        Args:
            routes: path -> what makes its answer, on the loop.
            host: opens certificate and key.
        """
        self._routes, self._host = dict(routes), host
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], None] = {}
        """The oldest first."""
        self.address = ""
        """Where it listens, as an address for people; "" if it does not."""
        self.problem = ""
        """Why it does not, though it should."""
        self._again: asyncio.Task[None] | None = None
        self.requests = 0
        self.refused = 0
        """Connections that gave way to others beyond `MAX_CONNECTIONS`, and requests that were no such."""

    async def start(self, settings: Settings) -> None:
        """Listens. What prevents it is logged, tried again now and then, and detection goes on without."""
        await self.close()
        if not settings.enabled:
            return
        await self._listen(settings)
        if self.problem:
            _log.error(
                "endpoint: %s; there are no metrics, it is tried again every %.0f s; try another endpoint.port, or endpoint.enabled: false",
                self.problem, RETRY,
            )  # fmt: skip
            self._again = asyncio.create_task(self._listen_later(settings), name="endpoint")

    async def _listen_later(self, settings: Settings) -> None:
        while self.problem:
            await asyncio.sleep(RETRY)
            await self._listen(settings)
        self.tell()

    def tell(self) -> None:
        """Logs where it listens, if it does."""
        if self.address:
            _log.info("endpoint: metrics and health at %s", self.address)

    async def _listen(self, settings: Settings) -> None:
        """Sets `address`, or `problem`."""
        try:
            context = self._tls(settings)
            self._server = await asyncio.start_server(
                self._serve,
                settings.address,
                settings.port,
                ssl=context,
                limit=MAX_REQUEST,
                backlog=MAX_CONNECTIONS,
                ssl_handshake_timeout=None if context is None else PATIENCE,
            )
        except (OSError, UserError, ssl.SSLError) as e:
            plain = isinstance(e, OSError) and not isinstance(e, ssl.SSLError | socket.gaierror) and e.errno
            reason = os.strerror(plain) if plain else getattr(e, "strerror", None) or e
            self.problem = f"cannot listen on {settings.address}:{settings.port}: {reason}"
            return
        self.problem = ""
        address, port = self._server.sockets[0].getsockname()[:2]
        self.address = f"{'https' if context else 'http'}://{f'[{address}]' if ':' in address else address}:{port}"
        if context is None and not ip_address(address).is_loopback:
            _log.warning(
                "endpoint: %s can be read by everybody who reaches it, and without TLS; endpoint.certificate gives it that", self.address
            )

    async def close(self) -> None:
        """Listens no more, and ends what is open. May be called without `start`, and more than once."""
        server, self._server, self.address, self.problem = self._server, None, "", ""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if server is not None:
            server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await asyncio.sleep(0)  # transports close on the loop

    def _tls(self, settings: Settings) -> ssl.SSLContext | None:
        certificate, key = settings.certificate, settings.key
        if certificate is None:
            if key is not None:
                raise UserError("endpoint.key: a key without endpoint.certificate")
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with contextlib.ExitStack() as stack:
            chain = stack.enter_context(InMemory(self._pem(certificate)))
            private = chain if key is None else stack.enter_context(InMemory(self._pem(key)))
            context.load_cert_chain(chain.path, private.path)
        return context

    def _pem(self, grant: str) -> bytes:
        with os.fdopen(self._host.open_granted(grant), "rb") as file:
            return file.read(MAX_PEM)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= MAX_CONNECTIONS:  # a probe asks at once: who is idle for the longest gives way
            self.refused += 1
            oldest = next(iter(self._connections))
            del self._connections[oldest]
            oldest.cancel()
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = None
        try:
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, EOFError, asyncio.LimitOverrunError, TimeoutError):  # EOFError: it has gone
            self.refused += 1
        finally:
            self._connections.pop(task, None)
            writer.transport.abort()

    def _answer(self, head: bytes) -> bytes:
        """The whole answer to a request's head; RFC 9112, section 3."""
        self.requests += 1
        words = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
        more = ""
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            answer = _refusal(HTTPStatus.BAD_REQUEST)
        elif words[0] not in ("GET", "HEAD"):
            answer, more = _refusal(HTTPStatus.METHOD_NOT_ALLOWED), "Allow: GET, HEAD\r\n"
        else:
            make = self._routes.get(words[1].partition("?")[0])
            try:
                answer = _refusal(HTTPStatus.NOT_FOUND) if make is None else make()
            except Exception:  # noqa: BLE001  a bug of ours in one page
                _log.exception("endpoint: %s failed", words[1])
                answer = _refusal(HTTPStatus.INTERNAL_SERVER_ERROR)
        lines = (
            f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\nContent-Type: {answer.content_type}\r\n"
            f"Content-Length: {len(answer.body)}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
            f"{more}Connection: close\r\n\r\n"
        )
        return lines.encode() + (b"" if words[0] == "HEAD" else answer.body)


def _refusal(status: HTTPStatus) -> Answer:
    return Answer(f"{status.phrase}\n".encode(), status=status)
