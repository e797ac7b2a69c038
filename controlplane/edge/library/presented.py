"""Where a key stands in a request's headers. Pure."""

from __future__ import annotations


def key_in(authorization: str, api_key: str) -> str:
    """Give the key of ``X-Api-Key``, else of ``Authorization: Bearer`` (RFC 6750); empty when there is none.

    The first counts where both are there, so that ``Authorization`` is free for an application's own users. The doors do the same.
    """
    scheme, _, token = authorization.partition(" ")
    return api_key.strip() or (token.strip() if scheme.lower() == "bearer" else "")
