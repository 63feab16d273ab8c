"""The HTTP shell: one handler that turns requests into `Asked` and answers back into bytes."""

import asyncio
import ssl
from collections.abc import Callable

from aiohttp import web

from ieee2030_5 import resources as r
from ieee2030_5.call import INVALID_FORMAT
from ieee2030_5.codec import render
from ieee2030_5.identity import lfdi_of
from ieee2030_5.tls import Session
from ieee2030_5.tree import MEDIA_TYPE, Answer, Asked

Reply = Callable[[str, Asked], Answer]
"""Answers the request of the client with this LFDI."""

_IDLE_S = 75.0
"""How long a connection without requests is kept: handshakes are the scarce resource."""
_HANDSHAKE_S = 30
_GOODBYE_S = 1.0
_BACKLOG = 1_024


class Front:
    """Listens, names the client by its certificate, bounds the body, and always sends Content-Length."""

    def __init__(self, reply: Reply, body_limit: int, body_timeout_s: float) -> None:
        self._reply = reply
        self._limit = body_limit
        self._timeout_s = body_timeout_s
        self._application: web.Server | None = None
        self._listener: asyncio.Server | None = None
        self.port = 0

    async def start(self, host: str, port: int, context: ssl.SSLContext) -> None:
        """Listen; `port` tells where from then on. Raises OSError where the address is taken."""
        loop = asyncio.get_running_loop()
        application = web.Server(self._handle, keepalive_timeout=_IDLE_S, access_log=None)
        self._application = application
        self._listener = await loop.create_server(
            lambda: Session(loop, application(), context, _HANDSHAKE_S), host, port, backlog=_BACKLOG
        )
        self.port = int(self._listener.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close every connection."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._application is not None:
            await self._application.shutdown(_GOODBYE_S)
            self._application = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        certificate = _certificate(request)
        if certificate is None:
            return _response(_refusal(401))
        body = await self._body(request)
        if isinstance(body, int):
            response = _response(_refusal(body))
            response.force_close()
            return response
        asked = Asked(
            request.method,
            request.raw_path,
            request.headers.get("Accept", ""),
            request.headers.get("Content-Type", ""),
            body,
        )
        return _response(self._reply(lfdi_of(certificate), asked))

    async def _body(self, request: web.BaseRequest) -> bytes | int:
        """The whole body, or the status of a refusal where it is larger (413) or slower (408) than allowed."""
        if (request.content_length or 0) > self._limit:
            return 413
        received = bytearray()
        try:
            async with asyncio.timeout(self._timeout_s):
                async for chunk in request.content.iter_any():
                    received += chunk
                    if len(received) > self._limit:
                        return 413
        except TimeoutError:
            return 408
        return bytes(received)


def _certificate(request: web.BaseRequest) -> bytes | None:
    transport = request.transport
    peer = transport.get_extra_info("ssl_object") if transport is not None else None
    return peer.getpeercert(binary_form=True) if isinstance(peer, ssl.SSLObject | ssl.SSLSocket) else None


def _refusal(status: int) -> Answer:
    return Answer(status, render(r.Error(reasonCode=INVALID_FORMAT)), {"Content-Type": MEDIA_TYPE})


def _response(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, body=answer.body, headers=dict(answer.headers))
