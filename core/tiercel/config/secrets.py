"""Secrets: options whose schema says ``writeOnly: true`` hold a reference, which becomes the secret when the component is built.

``env:NAME`` is a variable of the environment, ``file:PATH`` the content of a file, ``plain:TEXT`` the text itself; plugins resolve others
(`tiercel.hookspecs.tiercel_resolve_secret`). A value of no such form is a secret written into the configuration, which `check` warns of.
The configuration in memory has references only. What was resolved is remembered, so that logs and messages can hide it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from tiercel.config.schema import schema_of
from tiercel.errors import UserError

if TYPE_CHECKING:
    from tiercel.components.base import Host
    from tiercel.config.document import Path
    from tiercel.config.model import Config
    from tiercel.plugins import PluginHost

__all__ = ["HIDDEN", "SecretError", "SecretMissing", "Secrets", "described", "is_plain", "secrets_in"]

HIDDEN: Final = "***"
MAX_BYTES: Final = 64 << 10
"""Of a file that holds a secret."""
MIN_HIDDEN: Final = 4
"""Characters of a secret that is hidden in messages; a shorter one is in every text."""
_REFERENCE: Final = re.compile(r"([a-z][a-z0-9_-]*):(?!//)(.*)", re.DOTALL)
"""A kind and what it is about. ``https://...`` is an address, not a reference."""
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class SecretError(UserError):
    """A reference that is wrong, or leads to what may not be used. The message has the reference, never the secret."""


class SecretMissing(SecretError):
    """What a reference leads to is not here, or may not be read by this user."""


def is_plain(value: str) -> bool:
    """Whether a value is the secret itself, written into the configuration."""
    return _REFERENCE.fullmatch(value) is None


def described(value: str) -> str:
    """What may be shown in place of a value: references to what is ours, since others may be a secret with a colon in it."""
    match = _REFERENCE.fullmatch(value)
    return f"<secret from {value}>" if match is not None and match[1] in ("env", "file") else "<secret>"


def secrets_in(schema: Mapping[str, Any], value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Path and text of each value that is a secret by its schema, or of which that cannot be told.

    Args:
        schema: the value's JSON Schema.
        value: a value, valid or not.
        path: where it is.
    """
    found: list[tuple[Path, str]] = []

    def note(at: Path, text: str) -> str:
        found.append((at, text))
        return text

    _replaced(schema, value, note, path, secret=False)
    yield from found


class Secrets:
    """Resolves references.

    Args:
        config: its grants lead to files that this user cannot read.
        host: opens granted files.
        plugins: resolve what is not ours.
    """

    def __init__(self, config: Config, *, host: Host, plugins: PluginHost) -> None:
        self._host, self._plugins = host, plugins
        self._values: set[str] = set()
        self._grants: dict[str, str] = {}
        self.use(config)

    def use(self, config: Config) -> None:
        """From now on, the grants of another configuration lead to files."""
        self._grants = {grant.path: name for name, grant in config.grants.items() if grant.mode == "read"}

    def values(self) -> tuple[str, ...]:
        """All secrets so far, for who hides them; long ones first, since one may be part of another."""
        return tuple(sorted(self._values, key=len, reverse=True))

    def hide(self, text: str) -> str:
        """The text without the secrets."""
        for value in self.values():
            text = text.replace(value, HIDDEN)
        return text

    def resolved(self, schema: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
        """The options of a component with secrets in the place of references.

        Args:
            schema: the component's.
            options: valid, with defaults.

        Raises:
            SecretError: a reference cannot be resolved.
        """

        def resolve(path: Path, text: str) -> str:
            try:
                return self._resolve(text)
            except SecretError as error:
                where = ".".join(str(step) for step in path)
                raise type(error)(f"{where}: {error}") from error

        replaced: dict[str, Any] = _replaced(schema, options, resolve, (), secret=False)
        return replaced

    def _resolve(self, text: str) -> str:
        match = _REFERENCE.fullmatch(text)
        if match is None:
            return self._remember(text)
        found = self._plugins.resolve_secret(text)
        if found is None:
            own: dict[str, Callable[[str], str]] = {"env": _variable, "file": self._file, "plain": str}
            kind, about = match.groups()
            if kind not in own:
                msg = "no plugin knows secrets of this kind (known: env:, file:, plain:); try plain: before a text with a colon"
                raise SecretError(msg)
            found = own[kind](about)
        if not found:
            msg = f"{described(text)} is empty"
            raise SecretError(msg)
        return self._remember(found)

    def _remember(self, value: str) -> str:
        if len(value) >= MIN_HIDDEN:
            self._values.add(value)
        return value

    def _file(self, path: str) -> str:
        if not path.startswith("/"):
            msg = f"file:{path}: expected an absolute path"
            raise SecretError(msg)
        grant = self._grants.get(path)
        try:
            if grant is None:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
            else:
                descriptor = self._host.open_granted(grant)
        except (OSError, ValueError, UserError) as error:  # ValueError: a zero byte
            hint = "; a grant of mode read has root open it" if isinstance(error, PermissionError) else ""
            msg = f"file:{path}: cannot be read: {getattr(error, 'strerror', error)}{hint}"
            raise SecretMissing(msg) from error
        try:
            return _content(descriptor, path)
        finally:
            os.close(descriptor)


def _content(descriptor: int, path: str) -> str:
    """The text of an open file, without the line end."""
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        msg = f"file:{path}: is no regular file"
        raise SecretError(msg)
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        msg = f"file:{path}: everybody on this host may read or change it (mode {stat.S_IMODE(mode):04o}); try chmod o= {path}"
        raise SecretError(msg)
    data = b""
    while len(data) <= MAX_BYTES and (more := os.read(descriptor, MAX_BYTES)):
        data += more
    if len(data) > MAX_BYTES:
        msg = f"file:{path}: too large (expected at most {MAX_BYTES:,} bytes)"
        raise SecretError(msg)
    try:
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        msg = f"file:{path}: is not UTF-8"
        raise SecretError(msg) from None  # the error has the bytes


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        msg = "env: expected the name of a variable: letters, digits and _"
        raise SecretError(msg)
    if name not in os.environ:
        msg = f"env:{name}: is not set; root's supervisor hands on what grants.environment names"
        raise SecretMissing(msg)
    return os.environ[name]


def _replaced(schema: Any, value: Any, how: Callable[[Path, str], str], path: Path, *, secret: bool) -> Any:
    """A copy of the value with each secret replaced."""
    if isinstance(schema, Mapping):
        secret = secret or bool(schema.get("writeOnly"))
        forms = [form for key in ("anyOf", "oneOf", "allOf") for form in schema.get(key, ())]
        if not isinstance(value, Mapping | list):
            secret = secret or any(isinstance(form, Mapping) and form.get("writeOnly") for form in forms)
    else:
        schema, forms = {}, []
    if isinstance(value, Mapping):
        return {name: _replaced(_inner(schema, forms, name), each, how, (*path, name), secret=secret) for name, each in value.items()}
    if isinstance(value, list):
        items: Any = next((each["items"] for each in (schema, *forms) if isinstance(each.get("items"), Mapping)), {})
        return [_replaced(items, each, how, (*path, index), secret=secret) for index, each in enumerate(value)]
    return how(path, value) if secret and isinstance(value, str) else value


def _inner(schema: Mapping[str, Any], forms: list[Any], name: str) -> Mapping[str, Any]:
    """The schema of one value of a mapping: its own, or that of the first alternative that has it."""
    return next((found for each in (schema, *forms) if (found := schema_of(each, name))), {})
