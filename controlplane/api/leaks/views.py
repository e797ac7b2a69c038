"""``POST /hooks/leaks/github``: GitHub's secret scanning tells of keys that it has found.

There is no session, no token and no cookie: the signature over the raw body is the credential, and the body is parsed only when it has been
verified. Without a good one every request answers the same 401, whatever is wrong with it and whatever its method.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from controlplane.api import problems
from controlplane.api.answers import answer
from controlplane.api.authentication import ADVICE
from controlplane.api.errors import BodyTooLargeError, MethodNotAllowedError, UnauthenticatedError
from controlplane.api.leaks.public_keys import PublicKeys
from controlplane.api.parsers import parse_json
from tenants.keys import leaks, scanners

IDENTIFIER, SIGNATURE = "Github-Public-Key-Identifier", "Github-Public-Key-Signature"
MAX_BODY_BYTES = 2 * 1024 * 1024


@csrf_exempt  # a machine without cookies: what it may do hangs on its signature alone
def github(request: HttpRequest) -> HttpResponse:
    """Take a report and answer with GitHub's labels; whatever fails is a problem document."""
    try:
        return _take(request)
    except Exception as error:  # noqa: BLE001  # the last line: an unknown error is an opaque 500
        response = problems.respond(error, request)
        if isinstance(error, MethodNotAllowedError):
            response.headers["Allow"] = "POST"
        return response


@lru_cache(maxsize=4)
def public_keys(url: str) -> PublicKeys:
    """The keys of an address, kept as long as this process."""
    return PublicKeys(url)


def _take(request: HttpRequest) -> HttpResponse:
    raw = _signed_body(request)
    if request.method != "POST":
        raise MethodNotAllowedError("Reports of leaked keys are sent with POST.")
    findings = scanners.read_findings(parse_json(raw))
    real = leaks.take_report(actor=leaks.GITHUB, body_digest=hashlib.sha256(raw).hexdigest(), findings=findings)
    return answer(scanners.feedback(findings, real)).as_response()


def _signed_body(request: HttpRequest) -> bytes:
    """Give the raw body once its signature is known to be good. An unknown key is refused before a byte of the body is read."""
    identifier, signature = request.headers.get(IDENTIFIER, ""), request.headers.get(SIGNATURE, "")
    key = public_keys(settings.GITHUB_KEYS_URL).find(identifier) if identifier and signature else None
    if key is None:
        raise UnauthenticatedError(ADVICE)
    raw = _body(request)
    if not scanners.is_signed(raw, signature, key):
        raise UnauthenticatedError(ADVICE)
    return raw


def _body(request: HttpRequest) -> bytes:
    """Read at most what is allowed: by what is announced, and by what really comes."""
    announced = request.headers.get("Content-Length", "")
    if announced.isascii() and announced.isdigit() and (len(announced) > 18 or int(announced) > MAX_BODY_BYTES):
        raise BodyTooLargeError(f"A report may have at most {MAX_BODY_BYTES} bytes.")
    try:
        raw = request.read(MAX_BODY_BYTES + 1)
    except OSError:  # it ended early: whoever sent it is not there any more, and no signature fits what has come
        raise UnauthenticatedError(ADVICE) from None
    if len(raw) > MAX_BODY_BYTES:
        raise BodyTooLargeError(f"A report may have at most {MAX_BODY_BYTES} bytes.")
    return bytes(raw)
