"""A web server of our own, and outputs for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.unit.plugins.outputs.servers import Identity
from tests.unit.plugins.outputs.support import Granting, Numbers
from tiercel import Context
from tiercel.config.schema import with_defaults
from tiercel_formats import Json, Text
from tiercel_http import Http

Respond = Callable[[bytes], web.Response]


def made(directory: Path = Path("/nonexistent"), **options: Any) -> Http:
    context = Context("http/x", "web1", Granting(directory), {"numbers": Numbers(), "text": Text(), "json": Json()})
    return Http.from_config(with_defaults(Http.config_schema, options), context)


class Server:
    """Takes everything, unless it is told otherwise for the next requests."""

    def __init__(self) -> None:
        self.requests: list[tuple[Any, bytes]] = []
        self.next: list[web.Response | Respond | None] = []
        self.connections: set[Any] = set()
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests.append((request, body))
        self.connections.add(request.transport)
        answer = self.next.pop(0) if self.next else None
        if answer is None:
            return web.Response(status=204)
        return answer(body) if callable(answer) else answer

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, body in self.requests]


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server = Server()
    application = web.Application(client_max_size=1 << 24)
    application.router.add_route("*", "/{anything:.*}", server.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


def run(check: Callable[[Server], Awaitable[None]]) -> None:
    async def main() -> None:
        async with serving() as server:
            await check(server)

    asyncio.run(main())


@contextlib.asynccontextmanager
async def opened(**options: Any) -> AsyncIterator[Http]:
    output = made(**options)
    await output.open()
    try:
        yield output
    finally:
        await output.close()


def tls(identity: Identity, **changes: Any) -> dict[str, Any]:
    return {"ca_file": str(identity.ca), "certificate_file": str(identity.certificate), "key_file": str(identity.key)} | changes
