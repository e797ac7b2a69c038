"""``GET /v1/endpoints``: where a caller's endpoints are, told to good keys alone. To all others the path is like every path that is not there."""

from __future__ import annotations

import json
from collections.abc import Mapping

from controlplane.edge import problems as kinds
from controlplane.edge.asking import Ask, Verdict
from controlplane.edge.doors.judged import JudgedDoor, Premises
from controlplane.edge.problems import ProblemError
from controlplane.edge.requests import Request

TENANT = "{tenant}"


class EndpointsDoor(JudgedDoor):
    """``endpoints`` are addresses by name; ``{tenant}`` in one stands for the caller's tenant."""

    name = "endpoints"
    methods = (b"GET", b"HEAD")

    def __init__(self, premises: Premises, endpoints: Mapping[str, str]) -> None:
        super().__init__(premises)
        self._endpoints = dict(endpoints)

    def read(self, request: Request) -> Ask:
        """The key from its header."""
        text = request.key()
        if not text:
            raise ProblemError(kinds.UNAUTHENTICATED)
        return Ask(text)

    def say(self, request: Request, verdict: Verdict) -> bytes:
        """The addresses, or the refusal."""
        refusal = self.refusal(request, verdict)
        if refusal is not None:
            return refusal
        told = {name: address.replace(TENANT, verdict.tenant_id) for name, address in self._endpoints.items()}
        body = json.dumps({"tenant": verdict.tenant_id, "endpoints": told}, separators=(",", ":")).encode()
        return b"HTTP/1.1 200 OK\r\n%b%b%bContent-Length: %d\r\n\r\n%b" % (
            b"Content-Type: application/json\r\nCache-Control: no-store\r\n",
            *(self.ticks.date, verdict.limiting.lines if verdict.limiting is not None else b""),
            *(len(body), body),
        )
