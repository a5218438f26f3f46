"""Ways to a syslog receiver: datagrams (unix socket, UDP) and streams (TCP, TLS).

Syslog has no acknowledgement. What the kernel can tell is used instead: `Stream.send` returns when the other host's kernel has everything.
All raise `OSError`.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import socket
import ssl
import termios
from collections.abc import Sequence
from typing import Final, Protocol

__all__ = ["Datagrams", "Stream", "Way", "open_datagrams", "open_stream", "open_unix"]

READ: Final = 65536
SETTLE_SECONDS: Final = 0.05
"""A receiver that hangs up at once, because it does not like our certificate or is full, has done so by then."""
TICKET_SECONDS: Final = 1.0
"""TLS 1.3 only: how long to wait for the server's first record, a session ticket or a refusal of our certificate (RFC 8446, 4.6.1)."""
LONGEST_LOOK: Final = 0.02
"""Seconds between two looks at what the other kernel has not got yet."""


class Way(Protocol):
    """An open way to the receiver."""

    async def send(self, messages: Sequence[bytes], *, seconds: float) -> None:
        """Sends all of them. Raises `TimeoutError` if nothing moves for so many seconds."""

    def close(self) -> None:
        """Gives up what it holds, at once."""


class Datagrams:
    """A datagram for each message."""

    def __init__(self, sock: socket.socket) -> None:
        """Takes a connected socket."""
        self._socket = sock

    async def send(self, messages: Sequence[bytes], *, seconds: float) -> None:
        """See `Way`. A full queue of a local receiver holds this up; the network takes or loses what it gets."""
        loop = asyncio.get_running_loop()
        for message in messages:
            async with asyncio.timeout(seconds):
                await loop.sock_sendall(self._socket, message)

    def close(self) -> None:
        """See `Way`."""
        self._socket.close()


class Stream:
    """A TCP connection, with TLS or without; messages are framed by their length (RFC 6587, section 3.4.1; RFC 5425, section 4.3)."""

    def __init__(self, sock: socket.socket) -> None:
        """Takes a connected socket."""
        self._socket = sock
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    async def secure(self, context: ssl.SSLContext, server_name: str) -> None:
        """Starts TLS; a refusal of our certificate surfaces here, if the server says so within `TICKET_SECONDS`."""
        loop = asyncio.get_running_loop()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._flush()
                self._feed(await loop.sock_recv(self._socket, READ))
            except ssl.SSLError:
                await self._flush()  # the server is told why
                raise
        await self._flush()
        if self._tls.version() == "TLSv1.3" and not self._incoming.pending:
            try:
                async with asyncio.timeout(TICKET_SECONDS):
                    self._feed(await loop.sock_recv(self._socket, READ))
            except TimeoutError:
                return

    async def settle(self) -> None:
        """Gives the receiver a moment to hang up."""
        await asyncio.sleep(SETTLE_SECONDS)
        self._look()

    async def send(self, messages: Sequence[bytes], *, seconds: float) -> None:
        """See `Way`."""
        self._look()
        loop = asyncio.get_running_loop()
        for start in range(0, len(messages), 64):
            data = b"".join(b"%d %b" % (len(message), message) for message in messages[start : start + 64])
            async with asyncio.timeout(seconds):
                if self._tls is None:
                    await loop.sock_sendall(self._socket, data)
                else:
                    self._tls.write(data)
                    await self._flush()
        await self._arrived(seconds)
        self._look()

    async def _arrived(self, seconds: float) -> None:
        """Waits until the other kernel has acknowledged everything (tcp(7), SIOCOUTQ)."""
        pause, before, loop = 0.0005, -1, asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while left := self._unacknowledged():
            if left != before:
                before, deadline = left, loop.time() + seconds
            elif loop.time() > deadline:
                raise TimeoutError
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_LOOK)

    def _unacknowledged(self) -> int:
        number = array.array("i", [0])
        fcntl.ioctl(self._socket, termios.TIOCOUTQ, number)  # SIOCOUTQ is the same number
        return number[0]

    def _look(self) -> None:
        """Raises if the receiver has hung up. It has nothing else to say."""
        while True:
            try:
                self._feed(self._socket.recv(READ))
            except BlockingIOError:
                return

    def _feed(self, data: bytes) -> None:
        """Takes what came in."""
        if not data:
            raise ConnectionResetError("the receiver has closed the connection")
        if self._tls is None:
            return
        self._incoming.write(data)
        try:
            while self._tls.version() is not None and self._tls.read(READ):
                pass
        except ssl.SSLWantReadError:
            return
        except ssl.SSLZeroReturnError:
            raise ConnectionResetError("the receiver has closed the connection") from None

    async def _flush(self) -> None:
        if data := self._outgoing.read():
            await asyncio.get_running_loop().sock_sendall(self._socket, data)

    def close(self) -> None:
        """See `Way`; with TLS's word of farewell if it goes out at once."""
        with contextlib.suppress(OSError):  # WANT_READ is one: we do not wait for theirs
            if self._tls is not None:
                self._tls.unwrap()
        with contextlib.suppress(OSError):
            self._socket.send(self._outgoing.read())
        self._socket.close()


async def open_unix(path: str) -> Datagrams:
    """A way to the local daemon."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.connect(path)  # of a datagram socket: does not block
    except OSError:
        sock.close()
        raise
    return Datagrams(sock)


async def open_datagrams(host: str, port: int) -> Datagrams:
    """A way by UDP to the first address of the host that has a route."""
    return Datagrams(await _connected(host, port, socket.SOCK_DGRAM))


async def open_stream(host: str, port: int, *, context: ssl.SSLContext | None, server_name: str) -> Stream:
    """A way by TCP, with TLS if there is a context."""
    sock = await _connected(host, port, socket.SOCK_STREAM)
    stream = Stream(sock)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            await stream.secure(context, server_name)
        await stream.settle()
    except BaseException:
        sock.close()
        raise
    return stream


async def _connected(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    """A socket connected to the first address that answers."""
    loop = asyncio.get_running_loop()
    failure: OSError = OSError(f"{host} has no address")
    for family, _, protocol, _, address in await loop.getaddrinfo(host, port, type=kind):
        sock = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
        try:
            await loop.sock_connect(sock, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure
