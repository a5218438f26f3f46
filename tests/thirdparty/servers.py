"""What the plugins of strangers talk to: a queue that delivers again, and a directory server."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from pathlib import Path
from typing import Any, Self


class Server:
    """A Unix socket that every user may connect to, one thread for each connection."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        path.chmod(0o777)
        self._listening.listen()
        self.connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self.serve(connection)

    def serve(self, connection: socket.socket) -> None:
        raise NotImplementedError

    def hang_up(self) -> None:
        """Ends all connections."""
        while self.connections:
            connection = self.connections.pop()
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def close(self) -> None:
        self._listening.close()
        self.hang_up()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Queue(Server):
    """Keeps what it was given until it is acknowledged; whoever connects gets all of that first."""

    def __init__(self, path: Path) -> None:
        self._changed = threading.Condition()
        self._lines: list[bytes] = []
        self.acknowledged = 0
        super().__init__(path)

    def put(self, *texts: str | dict[str, Any]) -> None:
        """Adds records: JSON, or texts as they are."""
        with self._changed:
            for text in texts:
                line = text if isinstance(text, str) else json.dumps(text)
                self._lines.append(b"%d %s\n" % (len(self._lines) + 1, line.encode()))
            self._changed.notify_all()

    def serve(self, connection: socket.socket) -> None:
        threading.Thread(target=self._listen, args=(connection,), daemon=True).start()
        sent = self.acknowledged
        while True:
            with self._changed:
                while len(self._lines) <= sent:
                    self._changed.wait()
                lines, sent = self._lines[sent:], len(self._lines)
            connection.sendall(b"".join(lines))

    def _listen(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection.makefile("rb") as answers:
            for line in answers:
                word, number = line.split()
                assert word == b"ACK"
                with self._changed:
                    self.acknowledged = max(self.acknowledged, int(number))
                    self._changed.notify_all()

    def wait_acknowledged(self, number: int, seconds: float = 10) -> None:
        """Until the records up to a number, counted from 1, are acknowledged."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.acknowledged >= number, seconds), f"acknowledged {self.acknowledged} of {number}"


class Directory(Server):
    """Answers names with what it knows of them."""

    def __init__(self, path: Path, **people: dict[str, str]) -> None:
        self.people = people
        super().__init__(path)

    def serve(self, connection: socket.socket) -> None:
        with connection.makefile("rwb") as stream:
            for line in stream:
                stream.write(json.dumps(self.people.get(line.decode().strip(), {})).encode() + b"\n")
                stream.flush()
