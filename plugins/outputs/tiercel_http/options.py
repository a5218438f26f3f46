"""The options of the output, and which go together."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from tiercel import Tls, UserError

__all__ = ["SCHEMA", "headers", "origin", "proxy_headers"]

TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""Names of headers (RFC 9110, section 5.6.2)."""
CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
OURS: Final = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection", "x-tiercel-signature"})

SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "url": {
            "type": "string",
            "description": "Address that alerts are posted to, http:// or https://. Often it is a secret by itself.",
            "writeOnly": True,
        },
        "body": {
            "enum": ["alert", "array", "lines"],
            "default": "alert",
            "description": "What a request holds: one alert, a JSON array of them, or one alert a line.",
        },
        "batch_max": {
            "type": "integer",
            "minimum": 1,
            "maximum": 10000,
            "default": 100,
            "description": "For array and lines: most alerts of a request.",
        },
        "format": {
            "type": "string",
            "default": "json",
            "description": "Name of the formatter; for array, one that makes JSON.",
            "x-tiercel": "formatter",
        },
        "headers": {
            "type": "object",
            "default": {},
            "description": "More headers, NAME: VALUE. Values may be secrets.",
            "additionalProperties": {"type": "string", "writeOnly": True, "description": "Value of the header."},
        },
        "bearer_token": {"type": "string", "minLength": 1, "description": "Sent as Authorization: Bearer.", "writeOnly": True},
        "username": {"type": "string", "minLength": 1, "description": "For basic authentication."},
        "password": {"type": "string", "default": "", "description": "Belongs to username.", "writeOnly": True},
        "signing_key": {
            "type": "string",
            "minLength": 1,
            "description": "Signs each request by HMAC-SHA256 in the header X-Tiercel-Signature.",
            "writeOnly": True,
        },
        "compression": {"enum": ["none", "gzip"], "default": "none", "description": "Whether bodies are compressed."},
        "proxy": {"type": "string", "pattern": "^http://[^/@]+/?$", "description": "Proxy to go through, http://HOST:PORT."},
        "proxy_username": {"type": "string", "minLength": 1, "description": "For the proxy's basic authentication."},
        "proxy_password": {"type": "string", "default": "", "description": "Belongs to proxy_username.", "writeOnly": True},
        "retry_statuses": {
            "type": "array",
            "items": {"type": "integer", "minimum": 300, "maximum": 499},
            "default": [407, 408, 425, 429],
            "description": "Statuses after which, as after 5xx, the same alerts are sent again. Others below 500 refuse them for good.",
        },
        "timeout_secs": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 600,
            "default": 10,
            "description": "Longest time of a request, the connection included.",
        },
        "tls": Tls.SCHEMA,
    },
    "required": ["url"],
    "additionalProperties": False,
}


def origin(url: str, where: str) -> str:
    """Scheme, host and port of a URL: what may be shown of it.

    Raises:
        tiercel.UserError: it is no URL of a web server, or has a password in it.
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        parts, port = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not parts.hostname or CONTROL.search(url) or " " in url:
        msg = f"{where}: url is none (expected http:// or https:// with a host; it is not shown because it may be a secret)"
        raise UserError(msg)
    if "@" in parts.netloc:
        msg = f"{where}: url has a user name in it; use the options username and password"
        raise UserError(msg)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}"


def _basic(username: str, password: str) -> str:
    """Value of the header for basic authentication, in UTF-8 (RFC 7617)."""
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


def headers(config: Mapping[str, Any], where: str) -> dict[str, str]:
    """All headers that the options ask for.

    Raises:
        tiercel.UserError: two options want the same, or a header is not valid.
    """
    found: dict[str, str] = {}
    if "bearer_token" in config and "username" in config:
        msg = f"{where}: bearer_token and username are two ways of authentication; keep one of them"
        raise UserError(msg)
    if config["password"] and "username" not in config:
        msg = f"{where}: password needs username"
        raise UserError(msg)
    if "bearer_token" in config:
        found["Authorization"] = f"Bearer {config['bearer_token']}"
    if "username" in config:
        found["Authorization"] = _basic(config["username"], config["password"])
    for name, value in config["headers"].items():
        if not TOKEN.fullmatch(name) or name.lower() in OURS:
            msg = f"{where}: headers: {name!r} cannot be a header here"
            raise UserError(msg)
        if name.lower() in {known.lower() for known in found}:
            msg = f"{where}: headers: {name} is set by another option, too"
            raise UserError(msg)
        found[name] = value
    for name, value in found.items():
        if CONTROL.search(value):
            msg = f"{where}: the header {name} has characters that no header can have, such as the end of a line"
            raise UserError(msg)
    return found


def proxy_headers(config: Mapping[str, Any], where: str) -> dict[str, str]:
    """The headers that the proxy wants.

    Raises:
        tiercel.UserError: an option has no use without another.
    """
    for option, other in (("proxy_password", "proxy_username"), ("proxy_username", "proxy")):
        if config.get(option) and other not in config:
            msg = f"{where}: {option} needs {other}"
            raise UserError(msg)
    if "proxy_username" not in config:
        return {}
    return {"Proxy-Authorization": _basic(config["proxy_username"], config["proxy_password"])}
