"""A middleware for ASGI applications: nothing reaches the application that the edge does not admit.

``scope["admission"]`` holds the verdict (tenant, key, scopes). Limits' headers are on every answer, admitted or refused, and a tenant's limit of
requests in flight holds from the first byte of a request to the last of its answer, for a minute at most: then it counts as ended, though it may
go on. Refusals are the proxies' doors' own (RFC 9457): of a key that is not good nobody hears why. Websockets are admitted as one request, for as
long as they live. Source of the protocol: ASGI 3.0 (https://asgi.readthedocs.io/en/latest/specs/main.html).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

from controlplane.edge import problems
from controlplane.edge.asking import Ask, Verdict
from controlplane.edge.doors.judged import UNKNOWABLE
from controlplane.edge.edge import OPEN_WITHIN_SECONDS, Edge
from controlplane.edge.presented import key_in
from controlplane.edge.requests import Request
from tenants.limits.headers import headers_of

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
KEY_HEADERS = frozenset({b"authorization", b"x-api-key"})


class AdmissionMiddleware:
    """``make_edge`` is called in the application's event loop, at start-up or at the first request. ``open_paths`` need no key (probes).

    ``cost_of`` and ``scopes_of`` say what a request costs (at least 1) and needs, by its scope.
    """

    def __init__(
        self,
        application: Application,
        make_edge: Callable[[], Edge],
        *,
        open_paths: Collection[str] = (),
        cost_of: Callable[[Scope], int] = lambda scope: 1,
        scopes_of: Callable[[Scope], tuple[str, ...]] = lambda scope: (),
        problems_url: str = "https://controlplane.example/docs/problems",
    ) -> None:
        self._application, self._make_edge = application, make_edge
        self._open_paths, self._cost_of, self._scopes_of = frozenset(open_paths), cost_of, scopes_of
        self._problems_url = problems_url
        self._opening: asyncio.Task[Edge] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif scope["type"] not in ("http", "websocket") or scope["path"] in self._open_paths:
            await self._application(scope, receive, send)
        else:
            await self._admit(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        edge = await self._edge()
        ask = self._ask_of(scope)
        verdict = edge.judge.ask(ask) or await edge.judge.decide(ask)
        if not verdict.is_admitted:
            await self._refuse(verdict, scope, receive, send)
            return
        scope["admission"] = verdict
        lines = _lines_of(verdict)

        async def sending(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                message = {**message, "headers": [*message.get("headers", ()), *lines]}
            await send(message)

        try:
            await self._application(scope, receive, sending)
        finally:
            await edge.judge.give_back(verdict.tenant_id, verdict.key_id, ask.lease_id)

    def _ask_of(self, scope: Scope) -> Ask:
        found = [(name.lower(), value) for name, value in scope["headers"] if name.lower() in KEY_HEADERS]
        keys = dict(found)
        # One that stands twice is none: the application might read the other.
        text = key_in(keys.get(b"x-api-key"), keys.get(b"authorization", b"")) if len(keys) == len(found) else b""
        address = (scope.get("client") or ("",))[0]
        cost = max(1, self._cost_of(scope))
        return Ask(text, cost, self._scopes_of(scope), address, secrets.token_urlsafe(12))

    async def _refuse(self, verdict: Verdict, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted, servers make 403 of it
            return
        kind = problems.BUSY if verdict.trouble else problems.REFUSALS[verdict.code]
        asked = Request()
        asked.headers = {name.lower(): value for name, value in scope["headers"]}
        request_id = asked.request_id
        lines = [
            *((name.lower(), value) for name, _, value in (line.partition(b": ") for line in kind.lines.splitlines())),
            (b"content-type", b"application/problem+json"),
            (b"cache-control", b"no-store"),
            (b"x-request-id", request_id.encode()),
            *_lines_of(verdict),
        ]
        body = problems.document(self._problems_url, kind, request_id, UNKNOWABLE if verdict.trouble else "")
        await send({"type": "http.response.start", "status": kind.status, "headers": lines})
        await send({"type": "http.response.body", "body": body})

    async def _edge(self) -> Edge:
        opening = self._opening
        if opening is None or (opening.done() and (opening.cancelled() or opening.exception() is not None)):
            opening = self._opening = asyncio.get_running_loop().create_task(self._open())
        return await asyncio.shield(opening)

    async def _open(self) -> Edge:
        edge = self._make_edge()
        await edge.open(within_seconds=OPEN_WITHIN_SECONDS)
        return edge

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open before the application starts, close after it has ended."""
        await self._edge()
        try:
            await self._application(scope, receive, send)
        finally:
            opening, self._opening = self._opening, None
            if opening is not None:
                await (await opening).close()


def _lines_of(verdict: Verdict) -> list[tuple[bytes, bytes]]:
    if verdict.limiting is None:
        return []
    return [(name.lower().encode(), value.encode()) for name, value in headers_of(verdict.limiting.decision)]
