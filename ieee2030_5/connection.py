"""One TLS connection: requests in, answers out in their order, without a task or a timer for each.

aiohttp's parser reads the requests. An answer is written in the turn of the loop in which its request
is complete, as one buffer, so that it leaves in as few TLS records as possible.
"""

import asyncio
import ssl
from collections import deque
from email.utils import formatdate
from typing import Protocol

from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser, HttpVersion11, RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError

from ieee2030_5 import resources as r
from ieee2030_5.call import INVALID_FORMAT
from ieee2030_5.codec import render
from ieee2030_5.exchange import MEDIA_TYPE, Answer, Asked
from ieee2030_5.identity import lfdi_of

_LINE = 8_190
"""Longest request line or header that is read."""
_HEADERS = 64
"""Most headers of a request."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Host(Protocol):
    """What a connection asks of the server that it belongs to."""

    body_limit: int
    """Octets of a request body."""
    body_timeout_s: float

    def reply(self, lfdi: str, asked: Asked) -> Answer:
        """Answer a request of the client with this certificate."""
        ...

    def opened(self, connection: "Connection") -> None:
        """A connection stands."""
        ...

    def used(self, connection: "Connection") -> None:
        """A request was answered on it."""
        ...

    def closed(self, connection: "Connection") -> None:
        """It is gone."""
        ...

    def date(self) -> bytes:
        """The header line `Date`, with its line end."""
        ...


class Connection(BaseProtocol):
    """Requests of one client; it may send the next ones before it has read the first answer."""

    __slots__ = ("_closing", "_host", "_lfdi", "_reader", "_timer", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop, host: Host) -> None:
        """Speak HTTP for `host` once the handshake is done."""
        self._reader = HttpRequestParser(
            self,
            loop,
            host.body_limit,
            max_line_size=_LINE,
            max_field_size=_LINE,
            max_headers=_HEADERS,
            auto_decompress=False,
        )
        super().__init__(loop, self._reader)
        self._host = host
        self._lfdi: str | None = None
        self._waiting: deque[tuple[RawRequestMessage, StreamReader]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Name the client by its certificate, once for all its requests."""
        super().connection_made(transport)
        peer = transport.get_extra_info("ssl_object")
        certificate = peer.getpeercert(binary_form=True) if isinstance(peer, ssl.SSLObject) else None
        self._lfdi = None if certificate is None else lfdi_of(certificate)
        self._host.opened(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget everything."""
        super().connection_lost(exc)
        self._closing = True
        self._waiting.clear()
        self._stop_timer()
        self._host.closed(self)

    def close(self) -> None:
        """Say goodbye; what was written still leaves."""
        self._closing = True
        self._stop_timer()
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Drop the connection without a goodbye."""
        if self.transport is not None:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Answer whatever is complete with these octets."""
        if self._closing:
            return
        try:
            messages, upgraded, _ = self._reader.feed_data(data)
        except HttpProcessingError as error:
            self._end(error.code if error.code in (400, 413, 414, 431) else 400)
            return
        self._waiting.extend(messages)
        answered = self._serve()
        if upgraded:
            self.close()
        elif not (messages or answered) or (self._waiting and not self._waiting[-1][1].is_eof()):
            # Half a request: the rest has to arrive in time, be it of its head or of its body.
            self._start_timer()

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 - as the library has it
        """Only after a pause: the parser's buffers say it after every body."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def pause_writing(self) -> None:
        """The client does not read: answer nothing more, and read nothing more."""
        super().pause_writing()
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on with what has arrived meanwhile."""
        super().resume_writing()
        self._serve()
        if not self._paused and not self._closing and self.transport is not None:
            self.transport.resume_reading()

    def _serve(self) -> int:
        """Answer the complete requests in their order; returns how many."""
        answered = 0
        while self._waiting and not self._paused and not self._closing:
            message, payload = self._waiting[0]
            if (refusal := self._refusal(message, payload)) is not None:
                self._end(refusal)
                break
            if not payload.is_eof():
                break
            self._waiting.popleft()
            self._stop_timer()
            self._answer(message, payload)
            answered += 1
        return answered

    def _refusal(self, message: RawRequestMessage, payload: StreamReader) -> int | None:
        """The status of a refusal that needs no look at the body; says `Continue` to a client that waits for it."""
        if self._lfdi is None:
            return 401
        if payload.is_eof() and not payload.total_bytes:
            return None
        headers = message.headers
        # The parser itself stops reading where the body is far too long, or comes in thousands of chunks.
        if (
            self._reading_paused
            or max(payload.total_bytes, int(headers.get("Content-Length", 0))) > self._host.body_limit
        ):
            return 413
        if headers.get("Content-Encoding", "identity").lower() != "identity":
            return 415
        if not payload.total_bytes and headers.get("Expect", "").lower() == "100-continue" and self._timer is None:
            self._write(_CONTINUE)
        return None

    def _answer(self, message: RawRequestMessage, payload: StreamReader) -> None:
        headers = message.headers
        asked = Asked(
            message.method,
            message.path,
            headers.get("Accept", ""),
            headers.get("Content-Type", ""),
            payload.read_nowait() if payload.total_bytes else b"",
            headers.get("Accept-Encoding", ""),
            headers.get("If-None-Match", ""),
        )
        answer = self._host.reply(self._lfdi or "", asked)
        last = message.should_close or message.version != HttpVersion11
        self._send(answer, head_only=message.method == "HEAD", last=last)
        self._host.used(self)

    def _send(self, answer: Answer, *, head_only: bool, last: bool) -> None:
        parts = [answer.head, self._host.date()]
        if last:
            parts.append(b"Connection: close\r\n")
        parts.append(b"\r\n")
        if not head_only:
            parts.append(answer.body)
        self._write(b"".join(parts))
        if last:
            self.close()

    def _end(self, status: int) -> None:
        """Refuse, and close: how much of the request is still to come is unknown."""
        if not self._closing:
            self._waiting.clear()
            self._send(refusal(status), head_only=False, last=True)

    def _write(self, octets: bytes) -> None:
        if self.transport is not None:
            self.transport.write(octets)

    def _start_timer(self) -> None:
        if self._timer is None and not self._closing:
            self._timer = self._loop.call_later(self._host.body_timeout_s, self._end, 408)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def refusal(status: int) -> Answer:
    """A refusal by the shell, before anyone has looked for the resource."""
    return Answer(status, render(r.Error(reasonCode=INVALID_FORMAT)), {"Content-Type": MEDIA_TYPE})


def date_line(now: float) -> bytes:
    """RFC 9110, 6.6.1: when an answer was made."""
    return f"Date: {formatdate(now, usegmt=True)}\r\n".encode()
