"""An API Gateway REQUEST authorizer that asks the admission edge. One file, no dependencies; ``docs/edge.md`` explains it.

For HTTP APIs (payload 2.0) it answers with a simple response, for REST APIs (payload 1.0) with a policy for the one method that was asked for. The
context carries who it is; an integration reads it as ``$context.authorizer.tenantId`` and so on. Whatever goes wrong, nobody is let in.

Variables: ``EDGE_URL`` (https, without a path), ``EDGE_TIMEOUT_SECONDS`` (2), ``EDGE_CLASS`` and ``EDGE_SCOPES`` (separated by blanks) of all routes
that this function stands before. Set the authorizer's cache to 0 seconds where limits are to count: a cached answer asks nobody. Sources:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html.
"""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Mapping
from typing import Any

MOST_KEY = 512
MOST_BYTES = 65_536
NOBODY: Mapping[str, Any] = {"valid": False, "code": "NOT_FOUND"}
UNAVAILABLE: Mapping[str, Any] = {"valid": False, "code": "UNAVAILABLE"}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key elsewhere."""

    def redirect_request(self, *_arguments: Any) -> None:
        """Follow none; the answer is then an error."""


_opener = urllib.request.build_opener(_NoRedirects)


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Answer API Gateway. Raises ``Exception("Unauthorized")`` for payload 1.0 without a good key: that is how it is told to answer 401."""
    verdict = judge(key_of(event), address_of(event))
    if event.get("version") == "2.0":
        return {"isAuthorized": verdict["valid"] is True, "context": context_of(verdict)}
    if verdict["code"] == "NOT_FOUND":
        raise Exception("Unauthorized")  # the very words that API Gateway looks for
    statement = {
        "Action": "execute-api:Invoke",
        "Effect": "Allow" if verdict["valid"] is True else "Deny",
        "Resource": str(event["methodArn"]),
    }
    return {
        "principalId": str(verdict.get("tenant") or "unknown"),
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": context_of(verdict),
    }


def judge(key: str, address: str) -> Mapping[str, Any]:
    """Ask ``POST /v1/verify``. Never raises: what is no verdict is ``UNAVAILABLE``, and not valid."""
    if not key:
        return NOBODY
    question: dict[str, Any] = {"key": key}
    if address:
        question["address"] = address
    if os.environ.get("EDGE_CLASS"):
        question["class"] = os.environ["EDGE_CLASS"]
    if os.environ.get("EDGE_SCOPES"):
        question["scopes"] = os.environ["EDGE_SCOPES"].split()
    try:
        verdict = ask(question)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is no verdict; its text may hold an address, so only its kind is told
        print(json.dumps({"level": "error", "message": "The edge did not answer", "error": type(error).__name__}))  # noqa: T201
        return UNAVAILABLE
    if (
        not isinstance(verdict, dict)
        or not isinstance(verdict.get("code"), str)
        or (verdict.get("valid") is True) != (verdict["code"] == "VALID")
    ):
        return UNAVAILABLE
    return verdict


def ask(question: Mapping[str, Any]) -> Any:
    """Send the question over HTTPS and give the answer's content. Raises on anything but a 200 with JSON."""
    url = os.environ["EDGE_URL"].rstrip("/")
    if not url.startswith("https://"):
        raise ValueError("EDGE_URL must begin with https://")
    request = urllib.request.Request(  # noqa: S310  # https, as of the line above
        f"{url}/v1/verify", json.dumps(question).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with _opener.open(request, timeout=float(os.environ.get("EDGE_TIMEOUT_SECONDS", "2"))) as answer:
        if answer.status != 200:
            raise ValueError("not an answer")
        return json.loads(answer.read(MOST_BYTES))


def key_of(event: Mapping[str, Any]) -> str:
    """Give the key: ``X-Api-Key``, else ``Authorization: Bearer``; empty for none. Names of headers in any case. The edge reads keys the same way."""
    headers = {str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()}
    scheme, _, token = headers.get("authorization", "").partition(" ")
    text = headers.get("x-api-key", token if scheme.lower() == "bearer" else "").strip(" \t")
    return text if len(text) <= MOST_KEY else ""


def address_of(event: Mapping[str, Any]) -> str:
    """Give the address that connected to API Gateway, in either payload."""
    context = event.get("requestContext") or {}
    return str((context.get("http") or context.get("identity") or {}).get("sourceIp") or "")


def context_of(verdict: Mapping[str, Any]) -> dict[str, str]:
    """Give who it is, and why not, in texts: payload 1.0 takes nothing else."""
    told = {
        "code": verdict["code"],
        "tenantId": verdict.get("tenant"),
        "keyId": verdict.get("key"),
        "scopes": " ".join(verdict.get("scopes") or ()),
        "refusedBy": verdict.get("refused_by"),
        "retryAfter": verdict.get("retry_after"),
    }
    return {name: str(value) for name, value in told.items() if value not in (None, "")}
