"""What llhttp lets pass and this server does not. Pure. Sources: RFC 9112 (sections 2.3, 3.2, 6.1, 9.6), RFC 9110 (sections 10.1.1, 7.8)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from controlplane.edge import problems as kinds
from controlplane.edge.problems import Kind

SINGLE = frozenset(
    b"host content-length content-type transfer-encoding connection expect authorization x-api-key x-real-ip x-request-id "
    b"x-edge-cost x-edge-class x-edge-scopes".split()
)
"""Headers that stand once or not at all: two of them are two readings of one request."""
USUAL_NAMES = {
    spelt.encode(): spelt.lower().encode()
    for name in (
        "Host User-Agent Accept Accept-Encoding Authorization X-Api-Key X-Real-Ip X-Request-Id X-Forwarded-For X-Forwarded-Proto Connection "
        "Content-Type Content-Length X-Edge-Cost X-Edge-Class X-Edge-Scopes X-Envoy-Internal X-Envoy-Expected-Rq-Timeout-Ms"
    ).split()
    for spelt in (name, name.lower())
}
"""Headers as they are usually spelt, to their lower-case names: one object each, whose hash is worked out once."""
_LINES = re.compile(rb"(?:\A|\n)([A-Z][A-Z-]{0,31}) [!-~]+ HTTP/1\.[01]\r\n")
_USUAL = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH"})


def method_refusal(data: bytes) -> Kind:
    """Say what is wrong where llhttp knows no method: a request line with another is 501 (RFC 9110, section 9.1), anything else is rubbish."""
    return kinds.MALFORMED if _USUAL.issuperset(_LINES.findall(data)) else kinds.NOT_IMPLEMENTED


def body_refusal(headers: Mapping[bytes, bytes], version: str, most: int) -> Kind | None:
    """Say why a body of at most ``most`` bytes that this head announces will not be read; None when it will."""
    coding = headers.get(b"transfer-encoding")
    if coding is not None:
        if b"content-length" in headers or version != "1.1":
            return kinds.MALFORMED
        if coding.lower() != b"chunked":
            return kinds.NOT_IMPLEMENTED
    length = headers.get(b"content-length", b"0")
    if not length.isdigit():
        return kinds.MALFORMED
    if len(length) > 18 or int(length) > most:
        return kinds.BODY_TOO_LARGE
    expected = headers.get(b"expect", b"100-continue")
    return kinds.EXPECTATION if expected.lower() != b"100-continue" else None


def request_refusal(method: bytes, headers: Mapping[bytes, bytes], version: str) -> Kind | None:
    """Say why a whole request is not answered by a door; None when it is."""
    if version not in ("1.0", "1.1"):
        return kinds.WRONG_VERSION
    if method == b"CONNECT":
        return kinds.NOT_IMPLEMENTED
    if b"host" not in headers and version == "1.1":
        return kinds.MALFORMED
    if b"upgrade" in headers and b"upgrade" in headers.get(b"connection", b"").lower():
        return kinds.NOT_IMPLEMENTED
    return None
