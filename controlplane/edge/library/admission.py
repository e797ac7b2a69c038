"""Admission for services with threads: one edge on an event loop of its own, asked from any thread.

A question that can be answered from what is at hand is answered in the caller's thread, under a lock, in a few microseconds. For all others the
caller waits for the loop, :data:`LONGEST_SECONDS` at most. Processes that fork (gunicorn's workers) begin anew after the fork, at the first question.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from concurrent.futures import TimeoutError as Late
from typing import Any

from controlplane.edge.asking import Ask, Trouble, Verdict
from controlplane.edge.edge import OPEN_WITHIN_SECONDS, Edge
from tenants.keys.codes import Code

LONGEST_SECONDS = 2.0


class Admission:
    """One service's admission. ``url``, ``peppers`` and what else is given are those of :class:`~controlplane.edge.edge.Edge`."""

    def __init__(self, url: str, peppers: Mapping[int, bytes], **given: Any) -> None:
        self._url, self._peppers, self._given = url, dict(peppers), given
        self._openings: dict[int, threading.Lock] = {}
        self._pid = 0
        self._lock = threading.RLock()
        self._edge: Edge | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def admit(self, text: str, **asked: Any) -> Verdict:
        """Judge one request by its key. ``asked`` is what :class:`~controlplane.edge.asking.Ask` takes; ``trouble`` says that nobody can say.

        Raises ValueError on a cost below 0, which would be a gift.
        """
        if self._pid != os.getpid():
            self._open()
        assert self._edge is not None
        assert self._loop is not None
        ask = Ask(text.encode("utf-8", "surrogateescape"), **asked)
        if ask.cost < 0:
            raise ValueError(f"a cost is not negative: {ask.cost}")
        with self._lock:
            verdict = self._edge.judge.ask(ask)
        if verdict is not None:
            return verdict
        waiting = asyncio.run_coroutine_threadsafe(self._edge.judge.decide(ask), self._loop)
        try:
            return waiting.result(LONGEST_SECONDS)
        except Late:
            waiting.cancel()
            return Verdict(Code.NOT_FOUND, trouble=Trouble.UNHEARD)

    def give_back(self, verdict: Verdict, lease_id: str) -> None:
        """End a request in flight that was admitted under this lease. Does not wait."""
        if self._pid == os.getpid() and self._edge is not None and self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._edge.judge.give_back(verdict.tenant_id, verdict.key_id, lease_id), self._loop)

    def close(self) -> None:
        """Hand in what was counted, and end. The next question opens it again."""
        with self._opening:
            edge, loop = self._edge, self._loop
            if self._pid == os.getpid() and edge is not None and loop is not None:
                asyncio.run_coroutine_threadsafe(edge.close(), loop).result(LONGEST_SECONDS)
                loop.call_soon_threadsafe(loop.stop)
            self._pid, self._edge, self._loop = 0, None, None

    @property
    def _opening(self) -> threading.Lock:
        """This process's: a fork may have happened while another thread held its parent's."""
        return self._openings.setdefault(os.getpid(), threading.Lock())

    def _open(self) -> None:
        with self._opening:
            if self._pid == os.getpid():
                return
            self._lock = threading.RLock()  # a fork may have happened while another thread held it
            loop = asyncio.new_event_loop()
            threading.Thread(target=_run, args=(loop,), name="admission", daemon=True).start()
            try:
                self._edge, self._loop = asyncio.run_coroutine_threadsafe(self._begin(), loop).result(2 * OPEN_WITHIN_SECONDS), loop
            except BaseException:
                loop.call_soon_threadsafe(loop.stop)
                raise
            self._pid = os.getpid()

    async def _begin(self) -> Edge:
        edge = Edge(self._url, self._peppers, lock=self._lock, **self._given)
        await edge.open(within_seconds=OPEN_WITHIN_SECONDS)
        return edge


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()
