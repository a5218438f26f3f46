"""The component: sessions, answers, and what of a batch is through. aiohttp is imported when the output opens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from tiercel import Alert, Context, Output, Progress, Retry, Stability, Tls, UserError
from tiercel_http.options import SCHEMA, headers, origin, proxy_headers
from tiercel_http.requests import Answer, Requests, judge, retry_after

if TYPE_CHECKING:
    import ssl

    import aiohttp

__all__ = ["Http"]

MOST_OF_AN_ANSWER: Final = 4096
"""Bytes of a response that are read."""
SHOWN: Final = 200
"""Characters of a response that a message quotes."""


class Http(Output):
    """Posts alerts, in order, over one connection that is kept.

    After a failure only what was neither accepted nor refused is sent again.
    """

    name = "http"
    summary = "Posts alerts to a web server."
    api_version = "1.0"
    stability = Stability.BETA
    config_schema: ClassVar[Mapping[str, Any]] = SCHEMA

    def __init__(self, config: Mapping[str, Any], context: Context) -> None:
        where = context.component_id
        self._url, self._origin = config["url"], origin(config["url"], where)
        secure = self._origin.startswith("https:")
        if "tls" in config and not secure:
            msg = f"{where}: tls is for https://, and the url is {self._origin}"
            raise UserError(msg)
        own, login = headers(config, where), proxy_headers(config, where)
        self._tls = Tls(config.get("tls", {}), context) if secure else None
        self._proxy = config.get("proxy")
        self._proxy_headers = login if secure else {}  # of CONNECT; without TLS the proxy reads the request itself
        self._requests = Requests(
            formatter=context.formatters[config["format"]],
            body=config["body"],
            headers=own if secure else own | login,
            key=config.get("signing_key", "").encode(),
            compress=config["compression"] == "gzip",
        )
        self._most = 1 if config["body"] == "alert" else config["batch_max"]
        self._retry = frozenset(config["retry_statuses"])
        self._seconds = config["timeout_secs"]
        carried = [*own.values(), *login.values()]
        parts = [self._url.removeprefix(self._origin), *carried, *(value.partition(" ")[2] for value in carried)]
        parts += [config.get("signing_key", ""), config["password"], config["proxy_password"]]
        self._secrets = sorted({part for part in parts if len(part) > 1}, key=len, reverse=True)
        self._session: aiohttp.ClientSession | None = None
        self._progress = Progress()

    @classmethod
    def from_config(cls, config: Mapping[str, Any], context: Context) -> Self:
        """Checks which options go together."""
        return cls(config, context)

    async def open(self) -> None:
        """Imports aiohttp and reads certificates, so that mistakes show at the start; nothing is connected. Raises `tiercel.UserError`."""
        self._session = await self._opened()

    async def reopen(self) -> None:
        """Certificates are read again, and the connection is made anew, with the next batch."""
        await self.close()

    async def close(self) -> None:
        """Closes the connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        context: ssl.SSLContext | bool = True
        if self._tls is not None:
            context = await asyncio.to_thread(self._tls.context)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=1),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._seconds),
            auto_decompress=False,
        )

    async def deliver(self, batch: Sequence[Alert]) -> None:
        """Posts what of the batch is not through yet."""
        left = self._progress.left(batch)
        for start in range(0, len(left), self._most):
            await self._settle(left[start : start + self._most])
        self._progress.finish()

    async def _settle(self, alerts: Sequence[Alert]) -> None:
        """Sends alerts, in parts if the server does not take them together, until each is accepted or refused."""
        status, after, text = await self._post(alerts)
        answer = judge(status, alerts=len(alerts), retry=self._retry)
        if answer is Answer.LATER:
            raise Retry(text, after=after)
        if answer is Answer.SPLIT:
            middle = len(alerts) // 2
            await self._settle(alerts[:middle])
            await self._settle(alerts[middle:])
        elif answer is Answer.REFUSED:
            self._progress.refuse(alerts, text)
        else:
            self._progress.accept(alerts)

    async def _post(self, alerts: Sequence[Alert]) -> tuple[int, float | None, str]:
        """Status, seconds to wait if the server says so, and what to tell people."""
        import aiohttp

        data, fields = self._requests.make(alerts, now=time.time())
        try:
            if self._session is None:
                self._session = await self._opened()
            async with self._session.post(
                self._url,
                data=data,
                headers=fields,
                allow_redirects=False,  # whoever answers could send our secrets to somebody else
                proxy=self._proxy,
                proxy_headers=self._proxy_headers,
                server_hostname=self._tls.server_name if self._tls is not None else None,
            ) as response:
                body = await response.content.read(MOST_OF_AN_ANSWER)
                after = retry_after(response.headers.get("Retry-After"), now=time.time())
                return response.status, after, self._said(response.status, response.reason, body)
        except (aiohttp.ClientError, OSError) as error:
            await self.close()  # certificates are read again
            msg = f"{self._origin}: {self._explained(error)}"
            raise Retry(msg) from error
        except UserError as error:
            raise Retry(str(error)) from error

    def _said(self, status: int, reason: str | None, body: bytes) -> str:
        """Status, reason and the beginning of a response, without secrets that the server may have repeated."""
        text = self._without_secrets(body.decode(errors="replace"))
        shown = "".join(each if each.isprintable() else " " for each in text[:SHOWN]).strip()
        said = self._without_secrets(f"{self._origin}: {status} {reason or ''}".rstrip())
        return f"{said}: {shown}" if shown and status >= 300 else said

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _explained(self, error: Exception) -> str:
        import aiohttp

        if isinstance(error, aiohttp.ClientHttpProxyError):
            return f"the proxy {self._proxy} answers {error.status} {self._without_secrets(error.message)}".rstrip()
        through = f"the proxy {self._proxy}: " if isinstance(error, aiohttp.ClientProxyConnectionError) else ""
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        inner = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or cause
        if isinstance(inner, aiohttp.ServerDisconnectedError | ConnectionResetError):
            return through + "the server has closed the connection"
        if isinstance(inner, OSError):
            return self._without_secrets(through + Tls.explain(inner))
        return self._without_secrets(f"{type(inner).__name__}: {inner}")
