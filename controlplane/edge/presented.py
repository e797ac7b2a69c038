"""Where a key stands in a request's headers, for the doors and for services that ask in process. Pure."""

from __future__ import annotations

MOST_KEY_BYTES = 512
"""Longer texts are no keys (``tenants.keys.verification``): they are not looked up."""
_BLANKS = b" \t"


def key_in(api_key: bytes | None, authorization: bytes) -> bytes:
    """Give the key of ``X-Api-Key`` (None where that header is not there), else of ``Authorization: Bearer`` (RFC 6750); empty when there is none.

    The header that can only mean a key counts where it is there, even when it is empty, so that ``Authorization`` stays free for an application's own
    users. Blanks around a key are none of it.
    """
    if api_key is not None:
        text = api_key.strip(_BLANKS)
    elif authorization[:7] == b"Bearer " or authorization[:7].lower() == b"bearer ":
        text = authorization[7:].strip(_BLANKS)
    else:
        return b""
    return text if len(text) <= MOST_KEY_BYTES else b""
