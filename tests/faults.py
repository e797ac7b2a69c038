"""Faults between the product and AWS, by service, operation and occurrence; and a count of what was really sent.

Hooked into botocore's ``before-send`` event of every shared client, inside botocore's own retry loop: a retry that botocore made by
itself would be counted, and would meet the fault or not like any other sending. Nothing in the product knows that this exists.

    with faults.inject("cognito-idp", "CreateUserPool", when="after", error="lost"):      # made, and nobody heard
    with faults.inject("*", "*", occurrence=7, error=faults.Crash):                       # the worker dies at its seventh call
    with faults.watch() as traffic: ...; traffic.sends["kms", "CreateKey"]                # how often it went over the wire
"""

from __future__ import annotations

import io
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import EndpointConnectionError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

from core.aws.session import register_handler, unregister_handler

When = Literal["before", "after"]
Named = Literal["throttle", "denied", "outage", "lost", "timeout", "unreachable", "password-ended"]
Error = Named | BaseException | type[BaseException] | Callable[[AWSPreparedRequest], AWSResponse | None]

_SERVICES = {
    "cognito-identity-provider": "cognito-idp",
    "secrets-manager": "secretsmanager",
    "cloudwatch-logs": "logs",
    "eventbridge": "events",
}
"""botocore's event names where they are not boto3's service names."""
_ANSWERS = {
    "throttle": (400, "ThrottlingException", "SlowDown", "Rate exceeded"),
    "denied": (403, "AccessDeniedException", "AccessDenied", "The caller may not do this"),
    "outage": (500, "InternalServerError", "InternalError", "Something broke"),
    "password-ended": (400, "NotAuthorizedException", "", "Temporary password has expired and must be reset by an administrator."),
}
"""What AWS answers: status, code, S3's code, message."""


class Crash(BaseException):  # the death of a worker is no error that anybody may catch
    """The worker dies here. Not an Exception, so that no ``except Exception`` of the product survives it."""


@dataclass
class Fault:
    """What :func:`inject` gives: how many sendings matched so far, and how many of them were hit."""

    matched: int = 0
    fired: int = 0


@dataclass
class Traffic:
    """What :func:`watch` saw: API calls as the product made them, and sendings as they left, by (service, operation)."""

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    sends: Counter[tuple[str, str]] = field(default_factory=Counter)
    order: list[tuple[str, str]] = field(default_factory=list)

    @property
    def retries(self) -> int:
        """Sendings that botocore made by itself."""
        return self.sends.total() - self.calls.total()


@contextmanager
def inject(
    service: str, operation: str, occurrence: int = 1, when: When = "before", error: Error = "lost", *, times: int | None = 1
) -> Iterator[Fault]:
    """Break the ``occurrence``-th matching sending, and the ``times - 1`` after it (None: all after it), in all threads.

    ``service`` is boto3's name and ``operation`` AWS's, or ``*``. ``before``: the request never reaches AWS. ``after``: AWS carries it out
    and its answer is thrown away. ``error`` is what the product gets instead: one of AWS's answers (the keys of ``_ANSWERS``),
    silence after sending (``lost``, ``timeout``), no connection (``unreachable``), an exception to raise (such as :class:`Crash`), or
    a function of the request that raises, or gives an AWSResponse, or None to let the request through.
    """
    fault, lock, wire = Fault(), threading.Lock(), URLLib3Session()

    def handler(*, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse | None:
        name = _name(event_name)
        if service not in ("*", name[0]) or operation not in ("*", name[1]):
            return None
        with lock:
            fault.matched += 1
            is_hit = fault.matched >= occurrence and (times is None or fault.matched < occurrence + times)
            fault.fired += is_hit
        if not is_hit:
            return None
        if when == "after":
            wire.send(request)
        return _fail(error, request, name[0])

    register_handler("before-send", handler)
    try:
        yield fault
    finally:
        unregister_handler("before-send", handler)
        wire.close()


@contextmanager
def watch() -> Iterator[Traffic]:
    """Count calls and sendings of all threads while the block runs."""
    traffic, lock = Traffic(), threading.Lock()

    def on_call(*, event_name: str, **_: Any) -> None:
        with lock:
            traffic.calls[_name(event_name)] += 1

    def on_send(*, event_name: str, **_: Any) -> None:
        with lock:
            traffic.sends[_name(event_name)] += 1
            traffic.order.append(_name(event_name))

    register_handler("before-call", on_call)
    register_handler("before-send", on_send)
    try:
        yield traffic
    finally:
        unregister_handler("before-call", on_call)
        unregister_handler("before-send", on_send)


def _name(event_name: str) -> tuple[str, str]:
    _, service, operation = event_name.split(".", 2)
    return _SERVICES.get(service, service), operation


def _fail(error: Error, request: AWSPreparedRequest, service: str) -> AWSResponse | None:
    match error:
        case "lost" | "timeout":
            raise ReadTimeoutError(endpoint_url=request.url)
        case "unreachable":
            raise EndpointConnectionError(endpoint_url=request.url)
        case str():
            return _answer(error, request, service)
        case BaseException():
            raise error
        case type():
            raise error()
        case _:
            return error(request)


def _answer(error: str, request: AWSPreparedRequest, service: str) -> AWSResponse:
    status, code, s3_code, message = _ANSWERS[error]
    content_type = request.headers.get("Content-Type", b"")
    if isinstance(content_type, bytes):
        content_type = content_type.decode()
    if "json" in content_type:
        body = json.dumps({"__type": code, "message": message})
    elif service == "s3":
        body = f"<Error><Code>{s3_code}</Code><Message>{message}</Message><RequestId>injected</RequestId></Error>"
    else:
        code = {"ThrottlingException": "Throttling", "AccessDeniedException": "AccessDenied"}.get(code, "InternalFailure")
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            "<RequestId>injected</RequestId></ErrorResponse>"
        )
    headers = {"Content-Type": "application/json" if "json" in content_type else "text/xml", "x-amzn-RequestId": "injected"}
    return AWSResponse(request.url, status, HTTPHeaders.from_dict(headers), _Body(body.encode()))


class _Body(io.BytesIO):
    """A body as botocore reads one from urllib3."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.read()
