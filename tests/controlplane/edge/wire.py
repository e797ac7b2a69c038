"""A client of sockets and bytes: sends what no library would, and holds every answer to what HTTP is (``httptools`` reads it)."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from dataclasses import dataclass, field
from typing import Any

import httptools

WAIT_SECONDS = 5.0


@dataclass
class Answer:
    """One whole answer; names of headers in lower case, and each once."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body)


class Answers:
    """Reads answers out of bytes; raises where they are not well-formed. ``heads`` answers have no body whatever their length says."""

    def __init__(self, *, heads: bool = False) -> None:
        self.whole: list[Answer] = []
        self._answer = Answer()
        self._heads = heads
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._answer = Answer()

    def on_header(self, name: bytes, value: bytes) -> None:
        lower = name.decode("ascii").lower()
        assert lower not in self._answer.headers, f"{lower} stands twice"
        self._answer.headers[lower] = value.decode("ascii")

    def on_headers_complete(self) -> None:
        self._answer.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        self._answer.body += body

    def on_message_complete(self) -> None:
        answer = self._answer
        if answer.status not in (100, 204):
            assert int(answer.headers["content-length"]) == len(answer.body)
        self.whole.append(answer)


class Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), WAIT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = Answers()
        self._given = 0

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self) -> Answer:
        """The next answer."""
        while len(self._answers.whole) <= self._given:
            data = self.socket.recv(65_536)
            assert data, "the connection ended without an answer"
            self._answers.feed(data)
        self._given += 1
        return self._answers.whole[self._given - 1]

    def is_quiet(self, seconds: float = 0.05) -> bool:
        """Whether nothing comes for a moment: for what must not have been answered yet."""
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(65_536)
            self._answers.feed(data)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(WAIT_SECONDS)
        return len(self._answers.whole) == self._given

    def is_ended(self) -> bool:
        """Whether the other side ends the connection, with nothing more to say."""
        try:
            return self.socket.recv(65_536) == b""
        except ConnectionResetError:
            return True

    def ask(self, data: bytes) -> Answer:
        self.send(data)
        return self.read()


def get(path: str, *headers: str, method: str = "GET", key: str = "") -> bytes:
    """A request without a body."""
    lines = [f"{method} {path} HTTP/1.1", "Host: edge", *([f"Authorization: Bearer {key}"] if key else []), *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def post(path: str, content: Any, *headers: str, key: str = "", media_type: str = "application/json") -> bytes:
    """A request with a body: bytes as they are, anything else as JSON."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return get(path, f"Content-Type: {media_type}", f"Content-Length: {len(body)}", *headers, method="POST", key=key) + body


def exchange(port: int, data: bytes, *, finish: bool = True) -> list[Answer]:
    """Send bytes, say that no more will come, and give all answers until the other side ends; for requests that it must survive."""
    with Client(port) as client:
        answers = Answers()
        try:
            client.send(data)
            if finish:
                client.socket.shutdown(socket.SHUT_WR)
            give_up_at = time.monotonic() + WAIT_SECONDS
            while (received := client.socket.recv(65_536)) and time.monotonic() < give_up_at:
                answers.feed(received)
        except (ConnectionResetError, BrokenPipeError):
            pass
        return answers.whole


class Pipe(asyncio.Transport):
    """A transport without a socket: it keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.ended = False

    def write(self, data: Any) -> None:
        assert not self.ended, "it wrote after the end"
        self.written += data

    def write_eof(self) -> None:
        self.ended = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.ended = True

    def abort(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return self.ended

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass
