"""Every error that Tiercel raises on purpose.

    TiercelError
    ├── UserError               a mistake of the user: one clean line per problem, exit code 2, no traceback
    │   ├── RuleError           rule files: carries every `Diagnostic` of every file
    │   ├── ConfigError         the configuration file: carries every `Diagnostic`
    │   ├── PluginError         a plugin that is refused, missing or broken and that something needs
    │   └── HostError           the host lacks something (root, bcc, BTF, a user account)
    ├── Retry                   an output: not now, try again after some time
    └── Permanent               an output: these alerts will never be accepted

Anything else that surfaces is a bug and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

__all__ = [
    "ConfigError",
    "Diagnostic",
    "HostError",
    "Permanent",
    "PluginError",
    "Retry",
    "RuleError",
    "TiercelError",
    "UserError",
]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem found in one place of one file.

    Attributes:
        file: name of the file as the user gave it, or a description such as ``<command line>``.
        line: line, counted from 1; 0 when the problem has no place in the file.
        column: column in characters, counted from 1; 0 when unknown.
        code: stable name of the kind of problem, for example ``LOAD_ERR_COMPILE_CONDITION``.
        message: what is wrong, what was expected, what to try.
        snippet: the offending text, if it helps; a caret line may follow.
        warning: true if loading can go on.
    """

    file: str
    line: int
    column: int
    code: str
    message: str
    snippet: str = ""
    warning: bool = False

    def __str__(self) -> str:
        """``file:line:col: message`` on one line."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        kind = "warning: " if self.warning else ""
        return f"{place}: {kind}{self.message}"


class TiercelError(Exception):
    """Root of all errors raised on purpose."""


class UserError(TiercelError):
    """A mistake of the user or of the host's set-up; printed as it is, exit code 2."""


class _Diagnosed(UserError):
    """A user error made of located problems."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: Sequence[Diagnostic] = tuple(diagnostics)
        super().__init__("\n".join(str(d) for d in self.diagnostics))


class RuleError(_Diagnosed):
    """One or more rule files cannot be loaded."""


class ConfigError(_Diagnosed):
    """The configuration is not valid."""

    @classmethod
    def of(cls, file: str, message: str) -> ConfigError:
        """An error about a configuration as a whole."""
        return cls([Diagnostic(file or "<built-in configuration>", 0, 0, "CONFIG", message)])


class PluginError(UserError):
    """A plugin is refused, missing or broken, and something that the user asked for needs it."""


class HostError(UserError):
    """The host cannot do what was asked: the message says what is missing and how to get it."""


class Retry(TiercelError):
    """Raised by an output: the batch was not accepted now.

    Args:
        reason: what happened, without secrets.
        after: seconds to wait before the next try; None leaves it to the core's back-off.
    """

    def __init__(self, reason: str, *, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Permanent(TiercelError):
    """Raised by an output: alerts will never be accepted, trying again is useless.

    Args:
        reason: what happened, without secrets.
        refused: ids of the alerts that this is about, if the others of the batch were accepted; None for the whole batch.
    """

    def __init__(self, reason: str, *, refused: Collection[str] | None = None) -> None:
        super().__init__(reason)
        self.refused = refused
