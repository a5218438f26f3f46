"""Users and groups of the host, from the texts of its files in snapshots."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

__all__ = ["Accounts", "User"]

MAX_ACCOUNTS: Final = 65536
NOT_KNOWN: Final = "<NA>"
"""Falco's text for what an id without an account has."""
UNSET: Final = 0xFFFFFFFF
"""No id: -1 as 32 bits without a sign."""


class User(NamedTuple):
    """A user."""

    name: str
    home: str
    shell: str


_NOBODY: Final = User(NOT_KNOWN, NOT_KNOWN, NOT_KNOWN)
_ROOT: Final = User("root", "/root", NOT_KNOWN)
"""What user 0 is where the files have no entry of it, as in Falco."""


class Accounts:
    """Users and groups by id; the files are read again, through a snapshot, for an id that is not known.

    Args:
        refresh: takes a snapshot, unless there was one for this batch.
    """

    def __init__(self, refresh: Callable[[], None]) -> None:
        self._refresh = refresh
        self._users: dict[int, User] = {}
        self._groups: dict[int, str] = {}

    def take_users(self, text: bytes) -> None:
        """Replaces the users by those of a text in the form of passwd(5)."""
        self._users.clear()
        for parts in _lines(text):
            name, _, _, _, _, home, shell = (*parts, "", "", "", "")[:7]
            self._users.setdefault(int(parts[2]), User(name, home, shell))

    def take_groups(self, text: bytes) -> None:
        """Replaces the groups by those of a text in the form of group(5)."""
        self._groups.clear()
        for parts in _lines(text):
            self._groups.setdefault(int(parts[2]), parts[0])

    def user(self, number: int) -> User:
        """The user of an id; of one that is not known, Falco's texts."""
        if number == UNSET:
            return _NOBODY
        found = self._users.get(number)
        if found is None:
            self._refresh()
            if len(self._users) >= MAX_ACCOUNTS:
                self._users.clear()  # the next snapshot fills it again
            found = self._users.setdefault(number, _ROOT if number == 0 else _NOBODY)
        return found

    def group(self, number: int) -> str:
        """The name of a group; Falco's text for one that is not known."""
        found = self._groups.get(number)
        if found is None:
            self._refresh()
            if len(self._groups) >= MAX_ACCOUNTS:
                self._groups.clear()
            found = self._groups.setdefault(number, "root" if number == 0 else NOT_KNOWN)
        return found


def _lines(text: bytes) -> Iterator[list[str]]:
    """The parts of each entry whose third one is a number of 32 bits."""
    for line in text.decode(errors="surrogateescape").splitlines():
        parts = line.split(":")
        if len(parts) > 2 and parts[2].isascii() and parts[2].isdigit() and len(parts[2]) <= len(str(UNSET)):
            yield parts
