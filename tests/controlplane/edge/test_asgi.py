"""An ASGI application behind the middleware: what reaches it, and what callers see."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from controlplane.edge.edge import Edge
from controlplane.edge.library.asgi import AdmissionMiddleware
from controlplane.edge.line import Line
from controlplane.edge.problems import UNAUTHENTICATED, Problems
from controlplane.edge.requests import Request
from controlplane.edge.ticks import Ticks
from tests.controlplane.edge.world import NARROW, PEPPERS, WIDE, Holder, Platform


@dataclass
class Courses:
    """The application: says who asks, and waits where it is told to."""

    reached: list[str] = field(default_factory=list)
    lived: list[str] = field(default_factory=list)
    wait: asyncio.Event | None = None
    fails: bool = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                self.lived.append((await receive())["type"])
            return
        self.reached.append(getattr(scope.get("admission"), "tenant_id", ""))
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        if self.fails:
            raise LookupError
        if self.wait is not None:
            await self.wait.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-app", b"1")]})
        await send({"type": "http.response.body", "body": b"here"})


Answer = tuple[int, dict[str, str], bytes]


async def call(
    middleware: AdmissionMiddleware, text: str = "", path: str = "/courses", kind: str = "http", extra: Any = ()
) -> Answer:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": f"{kind}.connect"}

    headers = [(b"authorization", f"Bearer {text}".encode())] if text else []
    headers += extra
    await middleware({"type": kind, "path": path, "headers": headers, "client": ("192.0.2.7", 4711)}, receive, send)
    first = sent[0]
    lines = {name.decode(): value.decode() for name, value in first.get("headers", ())}
    return first.get("status", first.get("code", 0)), lines, b"".join(message.get("body", b"") for message in sent[1:])


def behind(platform: Platform, story: Callable[[AdmissionMiddleware, Courses], Awaitable[None]], **given: Any) -> None:
    """Run a story with the middleware alive, as a server would keep it."""

    async def run() -> None:
        application, said = Courses(), asyncio.Queue[Any]()
        middleware = AdmissionMiddleware(application, lambda: Edge(platform.url, PEPPERS), **given)

        async def nothing(message: Any) -> None:
            pass

        living = asyncio.ensure_future(middleware({"type": "lifespan"}, said.get, nothing))
        said.put_nowait({"type": "lifespan.startup"})
        try:
            await story(middleware, application)
        finally:
            said.put_nowait({"type": "lifespan.shutdown"})
            await living
        assert application.lived == ["lifespan.startup", "lifespan.shutdown"]

    asyncio.run(run())


def test_only_the_admitted_reach_the_application(platform: Platform) -> None:
    acme, globex = Holder(NARROW, key={"scopes": ("a:read",)}), Holder()
    platform.build(acme, globex)

    async def story(middleware: AdmissionMiddleware, application: Courses) -> None:
        answers = [await call(middleware, acme.text) for _ in range(6)]
        assert [answer[0] for answer in answers] == [200] * 5 + [429]
        assert (answers[0][1]["x-app"], answers[0][1]["ratelimit"][:10]) == ("1", '"rate";r=4')
        status, lines, body = answers[-1]
        assert (status, lines["retry-after"], lines["content-type"]) == (429, "1", "application/problem+json")
        assert json.loads(body)["type"].endswith("#quota-exceeded")
        assert (await call(middleware, globex.text))[0] == 403
        for text in ("", "rubbish", Holder().text):
            status, lines, body = await call(middleware, text)
            assert (status, lines["www-authenticate"]) == (401, 'Bearer realm="edge"')
            assert text == "" or text.encode() not in body
        assert (await call(middleware, path="/healthz"))[0] == 200
        assert application.reached == [acme.tenant_id] * 5 + [""]

    behind(platform, story, open_paths=["/healthz"], scopes_of=lambda scope: ("a:read",))


def test_of_a_key_that_is_not_good_it_says_what_the_doors_say(platform: Platform) -> None:
    acme = Holder(key={"ends_at": int(time.time()) - 9})
    platform.build(acme)
    base = "https://controlplane.example/docs/problems"

    async def story(middleware: AdmissionMiddleware, application: Courses) -> None:
        for text in ("", "rubbish", Holder().text, acme.text):
            status, lines, body = await call(middleware, text, extra=[(b"x-request-id", b"request-1")])
            asked = Request()
            asked.headers = {b"x-request-id": b"request-1"}
            head, _, expected = Problems(base, Ticks()).answer(UNAUTHENTICATED, asked).partition(b"\r\n\r\n")
            assert (status, body) == (401, expected)
            there = {
                name.lower().decode(): value.decode()
                for name, _, value in (one.partition(b": ") for one in head.split(b"\r\n")[1:])
            }
            assert lines == {name: value for name, value in there.items() if name not in ("date", "content-length")}

    behind(platform, story)


def test_requests_in_flight_hold_a_slot_until_they_are_answered(platform: Platform) -> None:
    acme = Holder(replace(WIDE, concurrency=1))
    platform.build(acme)

    async def story(middleware: AdmissionMiddleware, application: Courses) -> None:
        application.wait = asyncio.Event()
        first = asyncio.ensure_future(call(middleware, acme.text))
        while not application.reached:
            await asyncio.sleep(0.001)
        assert (await call(middleware, acme.text))[0] == 429
        application.wait.set()
        assert (await first)[0] == 200
        assert (await call(middleware, acme.text))[0] == 200

    behind(platform, story)


def test_a_slot_comes_back_from_an_application_that_failed(platform: Platform) -> None:
    acme = Holder(replace(WIDE, concurrency=1))
    platform.build(acme)

    async def story(middleware: AdmissionMiddleware, application: Courses) -> None:
        for _ in range(3):
            application.fails = True
            with pytest.raises(LookupError):
                await call(middleware, acme.text)
            application.fails = False
            assert (await call(middleware, acme.text))[0] == 200

    behind(platform, story)


def test_a_request_costs_no_less_than_one(platform: Platform) -> None:
    acme = Holder(replace(NARROW, burst=2))
    platform.build(acme)

    async def story(middleware: AdmissionMiddleware, application: Courses) -> None:
        assert [(await call(middleware, acme.text))[0] for _ in range(4)] == [200, 200, 429, 429]

    behind(platform, story, cost_of=lambda scope: -1_000)


def test_a_slot_comes_back_from_a_caller_who_left_while_it_was_asked_for(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = Holder(replace(WIDE, concurrency=1))
    platform.build(acme)

    async def story(middleware: AdmissionMiddleware, application: Courses) -> None:
        assert (await call(middleware, acme.text))[0] == 200
        run = Line.run

        async def run_late(line: Line, *given: Any) -> Any:
            reply = await run(line, *given)
            await asyncio.sleep(0.05)
            return reply

        with monkeypatch.context() as patched:
            patched.setattr(Line, "run", run_late)
            leaving = asyncio.ensure_future(call(middleware, acme.text))
            await asyncio.sleep(0.03)
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
        assert application.reached == [acme.tenant_id]
        assert (await call(middleware, acme.text))[0] == 200

    behind(platform, story)


def test_an_opening_that_failed_is_tried_again(platform: Platform) -> None:
    acme, failures = Holder(), [LookupError()]
    platform.build(acme)

    def make() -> Edge:
        if failures:
            raise failures.pop()
        return Edge(platform.url, PEPPERS)

    async def story() -> None:
        middleware = AdmissionMiddleware(Courses(), make)
        with pytest.raises(LookupError):
            await call(middleware, acme.text)
        assert (await call(middleware, acme.text))[0] == 200
        assert middleware._opening is not None
        await (await middleware._opening).close()

    asyncio.run(story())


def test_a_key_that_comes_twice_is_none(platform: Platform) -> None:
    """The application may read the first and the middleware the last."""
    acme, globex = Holder(), Holder()
    platform.build(acme, globex)

    async def story(middleware: AdmissionMiddleware, application: Courses) -> None:
        twice = [(b"x-api-key", acme.text.encode()), (b"X-Api-Key", globex.text.encode())]
        assert (await call(middleware, extra=twice))[0] == 401
        assert application.reached == []

    behind(platform, story)


def test_websockets_are_closed_before_they_open(platform: Platform) -> None:
    acme = Holder()
    platform.build(acme)

    async def story(middleware: AdmissionMiddleware, application: Courses) -> None:
        assert (await call(middleware, Holder().text, kind="websocket"))[0] == 1008
        assert application.reached == []
        assert (await call(middleware, acme.text, kind="websocket"))[1]["ratelimit"].startswith('"rate"')

    behind(platform, story)
