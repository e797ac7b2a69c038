"""Where a key stands in a request's headers. Pure."""

from __future__ import annotations


def key_in(authorization: str, api_key: str) -> str:
    """Give the key of ``Authorization: Bearer`` (RFC 6750), or of ``X-Api-Key``; empty when there is none, or when both are there and differ."""
    scheme, _, token = authorization.partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    if bearer and api_key and bearer != api_key.strip():
        return ""
    return bearer or api_key.strip()
