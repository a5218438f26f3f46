"""TLS for components that connect to servers: the options, and the context that they make."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from tiercel.errors import UserError

if TYPE_CHECKING:
    import ssl

    from tiercel.components.base import Context

__all__ = ["InMemory", "Tls"]

LARGEST: Final = 1 << 20
"""Bytes of a file with certificates or a key."""
PARTS: Final = {"ca": "certificates of authorities", "certificate": "the client's certificate", "key": "the client's key"}


class Tls:
    """A client's side of TLS as the option ``tls`` of a component describes it. ``import ssl`` happens when it is used.

    Files that only root can read are named by a grant: the process that owns privilege opens them. They are read again for every
    context, so that a renewed certificate is used with the next connection.
    """

    SCHEMA: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "description": "TLS: whom to trust, and the client's own certificate.",
        "properties": {
            "ca_file": {
                "type": "string",
                "pattern": "^/",
                "description": "PEM file, or hashed directory, of the authorities that the server's certificate may come from. "
                "By default the system's.",
            },
            "ca_grant": {"type": "string", "description": "Instead of ca_file: name of a grant, mode read.", "x-tiercel": "grant"},
            "certificate_file": {
                "type": "string",
                "pattern": "^/",
                "description": "PEM file with the client's certificate, and those between it and the authority. It may hold the key, too.",
            },
            "certificate_grant": {
                "type": "string",
                "description": "Instead of certificate_file: name of a grant, mode read.",
                "x-tiercel": "grant",
            },
            "key_file": {
                "type": "string",
                "pattern": "^/",
                "description": "PEM file with the client's key, if the certificate's does not have it.",
            },
            "key_grant": {"type": "string", "description": "Instead of key_file: name of a grant, mode read.", "x-tiercel": "grant"},
            "key_password": {"type": "string", "default": "", "description": "Password of an encrypted key.", "writeOnly": True},
            "server_name": {
                "type": "string",
                "minLength": 1,
                "description": "Name that the server's certificate must have. By default the host that is connected to.",
            },
            "verify": {
                "type": "boolean",
                "default": True,
                "description": "Whether the server's certificate is checked. If not, anybody on the way can read and change what is sent.",
            },
        },
        "additionalProperties": False,
    }
    """JSON Schema of the option."""

    def __init__(self, options: Mapping[str, Any], context: Context) -> None:
        """Reads nothing yet.

        Args:
            options: a valid value of `SCHEMA`; empty for its defaults.
            context: the component's.

        Raises:
            tiercel.UserError: options contradict each other.
        """
        self._options = options
        self._host = context.host
        self._where = f"{context.component_id}: tls"
        for part in PARTS:
            if f"{part}_file" in options and f"{part}_grant" in options:
                msg = f"{self._where}: {part}_file and {part}_grant name two sources of {PARTS[part]}; keep one of them"
                raise UserError(msg)
        if self._has("key") and not self._has("certificate"):
            msg = f"{self._where}: a key without a certificate; add certificate_file or certificate_grant"
            raise UserError(msg)

    @property
    def server_name(self) -> str | None:
        """The name that the server's certificate must have, if it is not the host's."""
        name: str | None = self._options.get("server_name")
        return name

    def context(self) -> ssl.SSLContext:
        """A context for one or more connections, at least TLS 1.2. Reads files and blocks: call it in a thread while the loop runs.

        Raises:
            tiercel.UserError: a file cannot be read, or holds something else.
        """
        import ssl

        made = ssl.create_default_context() if not self._has("ca") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.minimum_version = ssl.TLSVersion.TLSv1_2  # a distribution may allow older ones
        if self._has("ca"):
            self._trust(made)
        if self._has("certificate"):
            self._identify(made)
        if not self._options.get("verify", True):
            made.check_hostname = False
            made.verify_mode = ssl.CERT_NONE
        return made

    @staticmethod
    def explain(error: OSError) -> str:
        """What went wrong with a connection, in one line without addresses of code."""
        import ssl

        if isinstance(error, ssl.SSLCertVerificationError):
            return f"the server's certificate is refused: {error.verify_message}"
        if isinstance(error, ssl.SSLError) and error.reason:
            return f"TLS: {error.reason.lower().replace('_', ' ')}"
        if isinstance(error, TimeoutError) and not error.strerror:
            return "timed out"
        return error.strerror or str(error) or type(error).__name__

    def _has(self, part: str) -> bool:
        return f"{part}_file" in self._options or f"{part}_grant" in self._options

    def _trust(self, made: ssl.SSLContext) -> None:
        path = self._options.get("ca_file")
        if path is not None and Path(path).is_dir():
            made.load_verify_locations(capath=path)
            return
        try:
            made.load_verify_locations(cadata=self._read("ca").decode("ascii", "ignore"))
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError; an empty file a ValueError
            msg = f"{self._where}: no certificates in {self._named('ca')}; it should be a PEM file"
            raise UserError(msg) from error

    def _identify(self, made: ssl.SSLContext) -> None:
        """Loads certificate and key. OpenSSL wants names of files, and a granted file has none that we may open: it gets memory."""
        certificate = self._read("certificate")
        with InMemory(certificate) as first, InMemory(self._read("key") if self._has("key") else certificate) as second:
            try:
                made.load_cert_chain(first.path, second.path, password=self._options.get("key_password", ""))
            except (OSError, ValueError) as error:  # a password that is too long is a ValueError
                reason = getattr(error, "reason", None) or "not PEM, or the password is wrong"
                named = self._named("key") if self._has("key") else self._named("certificate")
                msg = f"{self._where}: the client's certificate or key ({named}) cannot be used: {reason.lower().replace('_', ' ')}"
                raise UserError(msg) from error

    def _named(self, part: str) -> str:
        grant = self._options.get(f"{part}_grant")
        return f"grant {grant}" if grant is not None else str(self._options[f"{part}_file"])

    def _read(self, part: str) -> bytes:
        grant, path = self._options.get(f"{part}_grant"), str(self._options.get(f"{part}_file"))
        try:
            # Not blocking: a fifo without a writer would hold up everything.
            descriptor = self._host.open_granted(grant) if grant is not None else os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                return file.read(LARGEST) or b""
        except PermissionError as error:
            msg = f"{self._where}: {path}: {error.strerror} for the user that the sensor runs as; grant it and use {part}_grant"
            raise UserError(msg) from error
        except OSError as error:
            msg = f"{self._where}: {self._named(part)}: {error.strerror}"
            raise UserError(msg) from error


class InMemory:
    """A file in memory, with a path that this process can open."""

    def __init__(self, content: bytes) -> None:
        """Of this content, until the end of the context."""
        self._descriptor = os.memfd_create("tls", os.MFD_CLOEXEC)
        with os.fdopen(os.dup(self._descriptor), "wb") as file:
            file.write(content)

    @property
    def path(self) -> str:
        """Where OpenSSL can open it, though this user may not read the file that the content is from."""
        return f"/proc/self/fd/{self._descriptor}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._descriptor)
