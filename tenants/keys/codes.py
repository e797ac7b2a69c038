"""What a verification says, in Unkey's words. Pure, so that the database's truth, the limits and the edge all say the same.

Source: https://www.unkey.com/docs/api-reference/v2/keys/verify-api-key
"""

from __future__ import annotations

import enum


class Code(enum.StrEnum):
    """What a verification says."""

    VALID = "VALID"
    NOT_FOUND = "NOT_FOUND"
    FORBIDDEN = "FORBIDDEN"
    INSUFFICIENT_PERMISSIONS = "INSUFFICIENT_PERMISSIONS"
    USAGE_EXCEEDED = "USAGE_EXCEEDED"
    RATE_LIMITED = "RATE_LIMITED"
    DISABLED = "DISABLED"
    EXPIRED = "EXPIRED"
