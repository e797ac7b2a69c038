"""The Lambda authorizer: both payloads, and nobody let in whatever goes wrong."""

from __future__ import annotations

import importlib.util
import io
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).resolve().parents[3] / "templates" / "edge" / "lambda_authorizer.py"
ACME = {
    "valid": True,
    "code": "VALID",
    "tenant": "tnt_acme",
    "key": "key_acme",
    "version": 1,
    "scopes": ["events:read", "jobs:read"],
}
REFUSED = {
    "valid": False,
    "code": "RATE_LIMITED",
    "tenant": "tnt_globex",
    "key": "key_globex",
    "refused_by": "rate",
    "retry_after": 2,
}
METHOD_ARN = "the-arn-of-one-method"
KEY = "cpk_live_of_acme"
V2 = {"version": "2.0", "headers": {"authorization": f"Bearer {KEY}"}, "requestContext": {"http": {"sourceIp": "192.0.2.1"}}}
V1 = {
    "type": "REQUEST",
    "methodArn": METHOD_ARN,
    "headers": {"X-Api-Key": KEY},
    "requestContext": {"identity": {"sourceIp": "192.0.2.1"}},
}


class Edge:
    """Stands in the place of urllib's opener."""

    def __init__(self) -> None:
        self.asked: list[tuple[urllib.request.Request, float]] = []
        self.answer: Any = ACME
        self.status = 200

    def open(self, request: urllib.request.Request, timeout: float) -> Any:
        self.asked.append((request, timeout))
        if isinstance(self.answer, Exception):
            raise self.answer
        body = self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode()
        answer = io.BytesIO(body)
        answer.status = self.status  # type: ignore[attr-defined]
        return answer


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("EDGE_URL", "https://edge.example.com/")
    specification = importlib.util.spec_from_file_location("lambda_authorizer", FILE)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def edge(module: Any, monkeypatch: pytest.MonkeyPatch) -> Edge:
    edge = Edge()
    monkeypatch.setattr(module, "_opener", edge)
    return edge


def test_payload_2_is_answered_simply(module: Any, edge: Edge) -> None:
    context = {"code": "VALID", "tenantId": "tnt_acme", "keyId": "key_acme", "scopes": "events:read jobs:read"}
    assert module.handler(V2, None) == {"isAuthorized": True, "context": context}
    [(request, timeout)] = edge.asked
    assert (request.full_url, request.method, timeout) == ("https://edge.example.com/v1/verify", "POST", 2.0)
    assert json.loads(request.data or b"") == {"key": KEY, "address": "192.0.2.1"}


def test_payload_1_is_answered_with_a_policy_for_the_one_method(module: Any, edge: Edge) -> None:
    answer = module.handler(V1, None)
    assert answer["principalId"] == "tnt_acme"
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": METHOD_ARN}
    assert answer["policyDocument"] == {"Version": "2012-10-17", "Statement": [statement]}
    assert all(isinstance(value, str) for value in answer["context"].values())


def test_a_refusal_is_denied_and_says_why(module: Any, edge: Edge) -> None:
    edge.answer = REFUSED
    assert module.handler(V2, None)["isAuthorized"] is False
    answer = module.handler(V1, None)
    assert answer["policyDocument"]["Statement"][0]["Effect"] == "Deny"
    assert (answer["context"]["refusedBy"], answer["context"]["retryAfter"]) == ("rate", "2")


def test_without_a_key_nobody_is_asked(module: Any, edge: Edge) -> None:
    assert module.handler({**V2, "headers": None}, None)["isAuthorized"] is False
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        module.handler({**V1, "headers": {"Authorization": "Basic abc"}}, None)
    assert edge.asked == []


def test_what_all_routes_need_is_asked_for(module: Any, edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_SCOPES", "events:read jobs:read")
    monkeypatch.setenv("EDGE_CLASS", "read")
    monkeypatch.setenv("EDGE_TIMEOUT_SECONDS", "0.5")
    module.handler(V2, None)
    asked = json.loads(edge.asked[0][0].data or b"")
    assert (asked["scopes"], asked["class"], edge.asked[0][1]) == (["events:read", "jobs:read"], "read", 0.5)


@pytest.mark.parametrize(
    "answer",
    [
        *(TimeoutError(), urllib.error.URLError("refused"), urllib.error.HTTPError("https://e", 503, "", {}, None)),  # type: ignore[arg-type]
        *(b"", b"<html>", [], "VALID", {"valid": True}, {"valid": "true", "code": "VALID"}, {"valid": True, "code": "DISABLED"}),
    ],
    ids=str,
)
def test_whatever_goes_wrong_nobody_is_let_in(module: Any, edge: Edge, answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    edge.answer = answer
    assert module.handler(V2, None) == {"isAuthorized": False, "context": {"code": "UNAVAILABLE"}}
    assert module.handler(V1, None)["policyDocument"]["Statement"][0]["Effect"] == "Deny"
    assert KEY not in capsys.readouterr().out


def test_another_status_than_200_is_no_verdict(module: Any, edge: Edge) -> None:
    edge.status = 202
    assert module.handler(V2, None)["isAuthorized"] is False


@pytest.mark.parametrize("url", ["http://edge.example.com", ""])
def test_the_key_goes_over_https_alone(module: Any, edge: Edge, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("EDGE_URL", url)
    assert module.handler(V2, None)["isAuthorized"] is False
    assert edge.asked == []


def test_a_redirect_is_not_followed(module: Any) -> None:
    handler = module._NoRedirects()
    assert handler.redirect_request(None, None, 302, "Found", {}, "https://elsewhere.example.com") is None
